// How tasks end: by themselves, with their shim, or through the cgroup.
#include <signal.h>

#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cgroup/cgroup.h"
#include "cri/task/native_driver.h"
#include "cri/task/native_messages.h"

namespace crisp::cri {
namespace {

constexpr int kKilledExitCode = 128 + SIGKILL;
constexpr absl::Duration kRetryWatch = absl::Seconds(1);
// A shim whose connection ends is about to be gone; one that stays after this is asked
// anew.
constexpr absl::Duration kDeathGrace = absl::Milliseconds(200);
// How long the kernel gets to end what was sent SIGKILL.
constexpr absl::Duration kKillGrace = absl::Seconds(10);

}  // namespace

TaskExit NativeDriver::LostExit() {
  return {.exit_code = kKilledExitCode, .exited_at_ns = Clock::Real()->NowNs(), .lost = true};
}

void NativeDriver::InBackground(std::function<void()> work) {
  absl::MutexLock lock(&mu_);
  if (!stopping_) background_->Post(std::move(work));
}

void NativeDriver::Watch(const PodRef& pod) {
  const std::shared_ptr<shim::ShimClient> client = pod->client();
  if (client == nullptr) return;  // OnLost has been told.
  shim::v1::WatchRequest request;
  request.set_after(pod->seen);
  client->CallAsync(shim::kShimService, "Watch", request, absl::InfiniteDuration(),
                    [this, pod](absl::Status status, std::string payload) {
                      shim::v1::WatchResponse response;
                      if (status.ok() && response.ParseFromString(payload)) {
                        OnEvents(pod, response);
                        return Watch(pod);
                      }
                      if (absl::IsUnavailable(status)) return;  // OnLost follows.
                      LogError("a shim does not tell of exits; asked again",
                               {{"pod", pod->id()}, {"error", status}});
                      loop_->PostAfter(kRetryWatch, [this, pod] { Watch(pod); });
                    });
}

void NativeDriver::OnEvents(const PodRef& pod, const shim::v1::WatchResponse& response) {
  pod->silent = false;
  for (const shim::v1::Event& event : response.events()) {
    if (event.sequence() <= pod->seen) continue;  // Told before a reconnection.
    pod->seen = event.sequence();
    if (event.has_exit()) Ended(event.id(), TaskExitOf(event.exit()));
  }
}

void NativeDriver::Ended(const std::string& id, const TaskExit& exit) {
  {
    absl::MutexLock lock(&mu_);
    const auto found = tasks_.find(id);
    if (found == tasks_.end() || found->second->exited) return;
    Task& task = *found->second;
    task.exited = true;
    task.state.status = TaskStatus::kStopped;
    task.state.exit = exit;
    if (!task.ours) return;  // Adopt will tell.
    task.reported = true;
  }
  if (on_exit_) on_exit_(id, exit);
}

absl::Status NativeDriver::SignalCgroup(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const auto cgroup = cgroup::Cgroup::Open(hierarchies_, path);
  if (absl::IsNotFound(cgroup.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(cgroup.status());
  return cgroup->Kill(SIGKILL);
}

absl::Status NativeDriver::KillByCgroup(const TaskRef& task) {
  LogWarn("killing a task through its cgroup: its shim does not", {{"id", task->id}});
  CRISP_RETURN_IF_ERROR(Annotate(SignalCgroup(task->cgroup_path), "kill the cgroup of ", task->id));
  InBackground([this, task] {
    if (AwaitEmpty(task->cgroup_path)) Ended(task->id, LostExit());
  });
  return absl::OkStatus();
}

bool NativeDriver::AwaitEmpty(const std::string& path) {
  if (path.empty()) return true;
  const absl::Duration deadline = Clock::Real()->Steady() + kKillGrace;
  while (true) {
    const auto cgroup = cgroup::Cgroup::Open(hierarchies_, path);
    if (absl::IsNotFound(cgroup.status())) return true;
    if (cgroup.ok()) {
      const auto pids = cgroup->Pids();
      if (pids.ok() && pids->empty()) return true;
    }
    if (Clock::Real()->Steady() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
}

void NativeDriver::OnLost(const PodRef& pod) {
  InBackground([this, pod] { Bury(pod); });
}

void NativeDriver::Bury(const PodRef& pod) {
  {
    absl::MutexLock lock(&mu_);
    const auto found = pods_.find(pod->id());
    if (found == pods_.end() || found->second != pod) return;  // It was told to end.
  }
  if (pod->Lives(kDeathGrace)) {
    if (pod->Connect().ok()) {
      LogWarn("a shim had closed its connection; there is a new one", {{"pod", pod->id()}});
      loop_->Post([this, pod] { Watch(pod); });
      return;
    }
    pod->KillShim();
  }
  std::vector<TaskRef> left;
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [id, task] : tasks_) {
      if (task->pod == pod && !task->exited) left.push_back(task);
    }
  }
  LogError("a shim has died; what it ran is killed", {{"pod", pod->id()}, {"tasks", left.size()}});
  for (const TaskRef& task : left) {
    if (const absl::Status killed = SignalCgroup(task->cgroup_path); !killed.ok()) {
      LogError("cannot kill what a dead shim left", {{"id", task->id}, {"error", killed}});
    }
  }
  for (const TaskRef& task : left) {
    if (!AwaitEmpty(task->cgroup_path)) {
      LogError("what a dead shim left does not end", {{"id", task->id}});
    }
    const auto recorded = pod->RecordedExit(task->id);
    Ended(task->id, recorded.ok() ? *recorded : LostExit());
  }
}

}  // namespace crisp::cri
