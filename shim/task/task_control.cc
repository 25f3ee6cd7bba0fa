#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/resources.h"
#include "shim/log/log.h"
#include "shim/task/task.h"

namespace crisp::shim {
namespace {

constexpr uint32_t kMaxSignal = 64;
constexpr absl::Duration kOomRecheck = absl::Milliseconds(50);

}  // namespace

absl::Status Task::Kill(const std::string& exec_id, uint32_t signal, bool all) {
  CRISP_ASSIGN_OR_RETURN(TaskProcess* const process, Find(exec_id));
  if (signal > kMaxSignal) {
    return absl::InvalidArgumentError(absl::StrCat("signal ", signal, " does not exist"));
  }
  const std::string what = exec_id.empty() ? id_ : absl::StrCat(id_, "/", exec_id);
  if (process->reaped.has_value()) {
    return absl::NotFoundError(absl::StrCat(what, ": process already finished"));
  }
  if (process->pid == 0) {
    return absl::FailedPreconditionError(absl::StrCat(what, " was not started"));
  }
  if (all && exec_id.empty() && cgroup_.has_value()) {
    return cgroup_->Kill(static_cast<int>(signal));
  }
  // Not reaped yet: the number still means this process.
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("kill ", what),
                            [&] { return ::kill(process->pid, static_cast<int>(signal)); }));
  // With cgroup v1 a frozen process does not die until it is thawed.
  if (signal == SIGKILL && init_->state == State::kPaused && process == init_.get() &&
      cgroup_.has_value()) {
    return cgroup_->Thaw();
  }
  return absl::OkStatus();
}

absl::Status Task::Pause() {
  if (init_->reaped.has_value() || !CanMove(init_->state, State::kPaused)) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " does not run"));
  }
  if (!cgroup_.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " has no cgroup"));
  }
  CRISP_RETURN_IF_ERROR(cgroup_->Freeze());
  init_->state = State::kPaused;
  context_->events->Paused(id_);
  return absl::OkStatus();
}

absl::Status Task::Resume() {
  if (init_->state != State::kPaused) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " is not paused"));
  }
  CRISP_RETURN_IF_ERROR(cgroup_->Thaw());
  init_->state = State::kRunning;
  context_->events->Resumed(id_);
  return absl::OkStatus();
}

absl::Status Task::Update(const std::string& resources_json) {
  if (init_->reaped.has_value() || init_->state == State::kCreating) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " does not run"));
  }
  if (!cgroup_.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " has no cgroup"));
  }
  const auto json = nlohmann::json::parse(resources_json, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("resources are not a JSON object");
  CRISP_ASSIGN_OR_RETURN(const cgroup::Resources resources,
                         cgroup::ParseResources(json, "resources"));
  return cgroup_->Update(resources);
}

absl::StatusOr<cgroup::Stats> Task::Stats() {
  if (!cgroup_.has_value() || init_->reaped.has_value()) {
    return absl::NotFoundError(absl::StrCat("task ", id_, " has no cgroup"));
  }
  return cgroup_->ReadStats();
}

std::vector<pid_t> Task::Pids() {
  if (cgroup_.has_value() && !init_->reaped.has_value()) {
    auto pids = cgroup_->Pids();
    if (pids.ok() && !pids->empty()) return *std::move(pids);
  }
  std::vector<pid_t> pids = {init_->pid};
  for (const auto& [exec_id, exec] : execs_) {
    if (exec->pid != 0 && !exec->reaped.has_value()) pids.push_back(exec->pid);
  }
  return pids;
}

// --- Out of memory

void Task::WatchOom() {
  auto watch = cgroup_->WatchOom();
  if (!watch.ok()) {
    LogDebug("OOM kills are not watched", {{"id", id_}, {"error", watch.status()}});
    return;
  }
  oom_ = *std::move(watch);
  auto id = context_->loop->Watch(oom_.get(), EPOLLIN | EPOLLPRI, [this](uint32_t) { OnOom(); });
  if (id.ok()) oom_watch_ = *id;
}

void Task::OnOom() {
  if (!cgroup_.has_value()) return;
  char events[4096];
  while (oom_.ok() && ::read(oom_.get(), events, sizeof(events)) > 0) {
  }
  const auto kills = cgroup_->OomKills();
  if (!kills.ok()) {
    // The cgroup has gone: it would be ready for ever.
    context_->loop->Unwatch(std::exchange(oom_watch_, 0));
    return;
  }
  if (*kills > oom_kills_) {
    oom_kills_ = *kills;
    context_->events->Oom(id_);
  } else if (!init_->reaped.has_value() && oom_recheck_ == 0) {
    // With cgroup v1 word comes when memory runs out, and the kill is counted later.
    oom_recheck_ = context_->loop->After(kOomRecheck, [this] {
      OnOom();
      oom_recheck_ = 0;
    });
  }
}

}  // namespace crisp::shim
