// Tasks of an earlier crispd: what its shims, and the records of those that are gone,
// tell of them.
#include <signal.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/dir_entries.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/task/native_driver.h"
#include "cri/task/native_messages.h"

namespace crisp::cri {
namespace {

// How many shims have not answered yet, and what the others said.
struct Answers {
  absl::Mutex mu;
  size_t awaited ABSL_GUARDED_BY(mu) = 0;
  std::map<std::string, shim::v1::ListResponse> lists ABSL_GUARDED_BY(mu);

  bool all() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return awaited == 0; }
};

}  // namespace

absl::Status NativeDriver::FindShims() {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(options_.state_dir));
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> ids, DirEntries(dir.get()));
  const auto answers = std::make_shared<Answers>();
  std::vector<PodRef> pods;
  for (const std::string& id : ids) {
    if (!ValidateIdentifier("pod id", id).ok()) continue;
    auto pod = std::make_shared<ShimPod>(loop_.get(), JoinPath(options_.state_dir, id), id,
                                         [this](const PodRef& lost) { OnLost(lost); });
    const auto notes = pod->Notes();
    if (!notes.ok()) {
      // It must not keep crispd from starting, and with it all other pods.
      LogError("what a shim ran cannot be found out", {{"pod", id}, {"error", notes.status()}});
      continue;
    }
    const absl::Status connected = pod->Connect();
    if (notes->empty()) {
      // Nothing of it is left, or nothing was made yet.
      InBackground([pod] { (void)pod->End(); });
      continue;
    }
    pods.push_back(pod);
    {
      absl::MutexLock lock(&mu_);
      pods_[id] = pod;
      for (const auto& [task_id, cgroup_path] : *notes) {
        auto task = std::make_shared<Task>();
        task->id = task_id;
        task->pod_id = id;
        task->cgroup_path = cgroup_path;
        task->pod = pod;
        tasks_[task_id] = std::move(task);
      }
    }
    if (!connected.ok()) continue;
    {
      absl::MutexLock lock(&answers->mu);
      ++answers->awaited;
    }
    pod->client()->CallAsync(shim::kShimService, "List", shim::v1::ListRequest(),
                             options_.reconnect_timeout,
                             [answers, id](absl::Status status, std::string payload) {
                               absl::MutexLock lock(&answers->mu);
                               --answers->awaited;
                               if (!status.ok() || !answers->lists[id].ParseFromString(payload)) {
                                 answers->lists.erase(id);
                               }
                             });
  }
  absl::MutexLock lock(&answers->mu);
  answers->mu.Await(absl::Condition(answers.get(), &Answers::all));
  for (const PodRef& pod : pods) {
    const auto list = answers->lists.find(pod->id());
    if (list != answers->lists.end()) {
      TakeList(pod, list->second);
    } else if (pod->client() != nullptr) {
      TakeSilence(pod);
    } else {
      TakeDeath(pod);
    }
    Watch(pod);
  }
  return absl::OkStatus();
}

void NativeDriver::TakeList(const PodRef& pod, const shim::v1::ListResponse& response) {
  absl::MutexLock lock(&mu_);
  for (const shim::v1::TaskInfo& info : response.tasks()) {
    TaskRef& task = tasks_[info.id()];
    if (task == nullptr) {
      // Its note is gone: it was being deleted.
      task = std::make_shared<Task>();
      task->id = info.id();
      task->pod_id = pod->id();
      task->pod = pod;
    }
    task->confirmed = true;
    task->state.pid = info.pid();
    task->state.status = TaskStatusOf(info.status());
    if (info.status() == shim::wire::STOPPED) {
      task->exited = true;
      task->state.exit = TaskExitOf(info.exit());
    }
  }
}

void NativeDriver::TakeSilence(const PodRef& pod) {
  LogError("a shim does not answer; its tasks are taken to run", {{"pod", pod->id()}});
  absl::MutexLock lock(&mu_);
  for (const auto& [id, task] : tasks_) {
    if (task->pod == pod) task->confirmed = true;
  }
}

void NativeDriver::TakeDeath(const PodRef& pod) {
  LogError("a shim has died while crispd was away; what it ran is killed", {{"pod", pod->id()}});
  pod->KillShim();  // One that has lost its socket.
  absl::MutexLock lock(&mu_);
  for (const auto& [id, task] : tasks_) {
    if (task->pod != pod) continue;
    if (const absl::Status killed = SignalCgroup(task->cgroup_path); !killed.ok()) {
      LogError("cannot kill what a dead shim left", {{"id", id}, {"error", killed}});
    }
    const auto recorded = pod->RecordedExit(id);
    task->confirmed = task->exited = true;
    task->state.status = TaskStatus::kStopped;
    task->state.exit = recorded.ok() ? *recorded : LostExit();
  }
}

absl::Status NativeDriver::Adopt(const TaskSpec& spec) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("task id", spec.id));
  TaskExit exit;
  {
    absl::MutexLock lock(&mu_);
    TaskRef& task = tasks_[spec.id];
    if (task == nullptr) {
      task = std::make_shared<Task>();
      task->id = spec.id;
      task->pod_id = spec.sandbox_id;
      task->exited = true;
      task->state.status = TaskStatus::kStopped;
      task->state.exit = {
          .exit_code = kLostExitCode, .exited_at_ns = Clock::Real()->NowNs(), .lost = true};
    } else if (task->ours) {
      return absl::AlreadyExistsError(absl::StrCat("task ", spec.id, " is adopted already"));
    }
    task->ours = true;
    task->has_log = !spec.is_sandbox && !spec.log_directory.empty() && !spec.log_path.empty();
    task->has_stdin = spec.stdin;
    if (task->cgroup_path.empty()) task->cgroup_path = spec.cgroup_path;
    if (!task->exited) return absl::OkStatus();
    task->reported = true;
    exit = task->state.exit;
  }
  loop_->Post([this, id = spec.id, exit] {
    if (on_exit_) on_exit_(id, exit);
  });
  return absl::OkStatus();
}

}  // namespace crisp::cri
