#include <unistd.h>

#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/log/log.h"
#include "shim/task/task.h"
#include "shim/task/task_record.h"

namespace crisp::shim {
namespace {

// A process left behind can hold a stream open for ever; Delete does not wait for it.
constexpr absl::Duration kDrainWithin = absl::Seconds(10);
// How often a worker that cleans up and is killed is replaced.
constexpr int kMaxTeardowns = 3;
// What a process that never ran "exits" with, as shells say "cannot execute".
constexpr int kNeverRan = 126;

}  // namespace

Task::Task(TaskContext* context, std::string id, std::string bundle, StreamOwner owner,
           std::function<void()> forget)
    : context_(context),
      id_(std::move(id)),
      bundle_(std::move(bundle)),
      stream_owner_(owner),
      forget_(std::move(forget)),
      init_(std::make_unique<TaskProcess>(context->loop, context->children, "")) {}

Task::~Task() {
  context_->loop->Unwatch(oom_watch_);
  context_->loop->Cancel(oom_recheck_);
  context_->loop->Cancel(sync_sweep_);
  if (poststart_ != 0) context_->children->Forget(poststart_);
}

absl::StatusOr<TaskProcess*> Task::Find(const std::string& exec_id) {
  if (exec_id.empty()) return init_.get();
  const auto found = execs_.find(exec_id);
  if (found == execs_.end()) {
    return absl::NotFoundError(absl::StrCat("task ", id_, " has no process ", exec_id));
  }
  return found->second.get();
}

bool Task::running() const {
  return !init_->reaped.has_value() &&
         (init_->state == State::kRunning || init_->state == State::kPaused);
}

// --- Create

void Task::Create(ContainerLaunch request, std::unique_ptr<ProcessIo> io, StreamNames names,
                  const wire::CreateTaskRequest& told, PidCallback done) {
  init_->io = std::move(io);
  init_->names = std::move(names);
  init_->launched = std::move(done);
  create_event_.set_container_id(id_);
  create_event_.set_bundle(bundle_);
  *create_event_.mutable_rootfs() = told.rootfs();
  create_event_.mutable_io()->set_stdin(init_->names.in);
  create_event_.mutable_io()->set_stdout(init_->names.out);
  create_event_.mutable_io()->set_stderr(init_->names.err);
  create_event_.mutable_io()->set_terminal(init_->io->terminal());
  init_->io->OnReady([this, request = std::move(request)](absl::Status ready) mutable {
    if (init_->state != State::kCreating) return;  // Deleted meanwhile.
    if (!ready.ok()) return LaunchFailed(init_.get(), ready);
    BeginCreate(std::move(request));
  });
}

void Task::BeginCreate(ContainerLaunch request) {
  CRISP_FAILPOINT("task/create begun");
  request.streams.fds = init_->io->child_fds();
  request.streams.terminal = init_->io->terminal();
  auto launch = context_->launcher.container(request);
  if (!launch.ok()) return LaunchFailed(init_.get(), launch.status());
  init_->launch = *std::move(launch);
  CRISP_FAILPOINT("task/worker forked");
  init_->io->CloseChildEnds();
  if (auto watched = WatchLaunch(init_.get()); !watched.ok()) LaunchFailed(init_.get(), watched);
}

absl::Status Task::WatchLaunch(TaskProcess* process) {
  CRISP_ASSIGN_OR_RETURN(process->launch_watch,
                         context_->loop->Watch(process->launch->fd(), EPOLLIN,
                                               [this, process](uint32_t) { Advance(process); }));
  return absl::OkStatus();
}

void Task::Advance(TaskProcess* process) {
  const auto stage = process->launch->Advance();
  if (!stage.ok()) return LaunchFailed(process, stage.status());
  switch (*stage) {
    case Launch::Stage::kPreparing:
      return Claim(process);
    case Launch::Stage::kCreated:
      if (process->state == State::kCreating) Created();
      return;
    case Launch::Stage::kRunning:
      if (process->state == State::kStarting) Running(process);
      return;
  }
}

void Task::Claim(TaskProcess* process) {
  if (process->claimed != 0 || process->launch->pid() == 0) return;
  process->claimed = process->launch->pid();
  context_->children->OnExit(process->claimed,
                             [this, process](const ProcessExit& exit) { OnReaped(process, exit); });
}

void Task::AdvanceLaunches() {
  if (init_->launch != nullptr) Advance(init_.get());
  for (const auto& [exec_id, exec] : execs_) {
    if (exec->launch != nullptr) Advance(exec.get());
  }
}

void Task::Created() {
  CRISP_FAILPOINT("task/init made");
  init_->pid = init_->launch->pid();
  facts_ = init_->launch->facts();
  init_->state = State::kCreated;
  Claim(init_.get());
  if (init_->io->terminal()) {
    if (auto set = init_->io->SetConsole(init_->launch->TakeConsole()); !set.ok()) {
      LogWarn("the terminal cannot be used", {{"id", id_}, {"error", set}});
    }
  }
  if (!facts_.cgroup_path.empty()) {
    auto cgroup = cgroup::Cgroup::Open(context_->hierarchies, facts_.cgroup_path);
    if (cgroup.ok()) {
      cgroup_ = *std::move(cgroup);
      WatchOom();
    } else {
      LogWarn("the cgroup cannot be opened", {{"id", id_}, {"error", cgroup.status()}});
    }
  }
  if (!bundle_.empty()) {
    auto written =
        WriteTaskRecord(bundle_, {init_->pid, StartTimeOf(init_->pid), facts_.cgroup_path});
    if (!written.ok()) LogWarn("a task cannot be recorded", {{"id", id_}, {"error", written}});
  }
  CRISP_FAILPOINT("task/recorded");
  create_event_.set_pid(static_cast<uint32_t>(init_->pid));
  context_->events->Created(create_event_);
  create_event_.Clear();
  Launched(init_.get(), init_->pid);
}

void Task::Launched(TaskProcess* process, absl::StatusOr<pid_t> result) {
  if (process->launched) std::exchange(process->launched, nullptr)(std::move(result));
}

void Task::LaunchFailed(TaskProcess* process, const absl::Status& status) {
  process->DropLaunch();
  switch (process->state) {
    case State::kCreating:
      // Nothing of it is left: as if it had never been asked for.
      process->state = State::kStopped;
      Launched(process, status);
      for (ExitCallback& done : std::exchange(deleting_, {})) {
        done(ExitRecord{0, 128 + SIGKILL, absl::Now(), false});
      }
      context_->loop->Post(forget_);
      return;
    case State::kStarting:
      // A client reads its streams to their end before it hears of anything else.
      process->io->CloseChildEnds();
      Launched(process, status);
      if (process->pid != 0) return;  // Its end is about to be reaped, or was.
      context_->children->Forget(std::exchange(process->claimed, 0));
      process->reaped = ProcessExit{kNeverRan, absl::Now()};
      return TellExits();
    default:
      return;  // Killed before Start: its end is about to be reaped.
  }
}

// --- Start

absl::Status Task::AddExec(const std::string& exec_id, std::string process_json,
                           std::unique_ptr<ProcessIo> io, StreamNames names) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("exec id", exec_id));
  if (execs_.contains(exec_id)) {
    return absl::AlreadyExistsError(absl::StrCat("task ", id_, " has a process ", exec_id));
  }
  if (!deleting_.empty() || init_->reaped.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("task ", id_, " has ended"));
  }
  auto process = std::make_unique<TaskProcess>(context_->loop, context_->children, exec_id);
  process->state = State::kCreated;
  process->spec_json = std::move(process_json);
  process->io = std::move(io);
  process->names = std::move(names);
  execs_[exec_id] = std::move(process);
  context_->events->ExecAdded(id_, exec_id);
  return absl::OkStatus();
}

void Task::Start(const std::string& exec_id, PidCallback done) {
  const auto found = Find(exec_id);
  if (!found.ok()) return done(found.status());
  TaskProcess* const process = *found;
  const absl::string_view what = exec_id.empty() ? absl::string_view(id_) : exec_id;
  if (process->reaped.has_value() || !CanMove(process->state, State::kStarting)) {
    return done(absl::FailedPreconditionError(
        absl::StrCat(what, process->state == State::kStopped || process->reaped.has_value()
                               ? " has ended"
                               : " was started before")));
  }
  if (exec_id.empty()) {
    if (!deleting_.empty())
      return done(absl::FailedPreconditionError(absl::StrCat(id_, " is being deleted")));
    if (process->launch == nullptr) {
      return done(absl::FailedPreconditionError(absl::StrCat(id_, " has ended")));
    }
    if (absl::Status opened = process->io->OpenInput(); !opened.ok()) return done(opened);
    if (absl::Status started = process->launch->Start(); !started.ok()) return done(started);
    CRISP_FAILPOINT("task/start sent");
    process->state = State::kStarting;
    process->launched = std::move(done);
    return;
  }
  process->state = State::kStarting;
  process->launched = std::move(done);
  if (init_->state != State::kRunning || init_->reaped.has_value()) {
    return LaunchFailed(
        process,
        absl::FailedPreconditionError(absl::StrCat(
            "task ", id_, init_->state == State::kPaused ? " is paused" : " does not run")));
  }
  process->io->OnReady([this, process](absl::Status ready) {
    if (!ready.ok()) return LaunchFailed(process, ready);
    ExecLaunch request;
    request.container_id = id_;
    request.process_json = std::exchange(process->spec_json, {});
    request.container = facts_;
    request.streams.fds = process->io->child_fds();
    request.streams.terminal = process->io->terminal();
    request.cache_dir = context_->cache_dir;
    auto launch = context_->launcher.exec(request);
    if (!launch.ok()) return LaunchFailed(process, launch.status());
    process->launch = *std::move(launch);
    CRISP_FAILPOINT("task/exec worker forked");
    process->io->CloseChildEnds();
    absl::Status ready_to_run = process->io->OpenInput();
    if (ready_to_run.ok()) ready_to_run = WatchLaunch(process);
    if (!ready_to_run.ok()) LaunchFailed(process, ready_to_run);
  });
}

void Task::Running(TaskProcess* process) {
  process->state = State::kRunning;
  if (process == init_.get()) return InitRunning();
  process->pid = process->launch->pid();
  CRISP_FAILPOINT("task/exec running");
  if (process->io->terminal()) {
    if (auto set = process->io->SetConsole(process->launch->TakeConsole()); !set.ok()) {
      LogWarn("the terminal cannot be used", {{"id", id_}, {"error", set}});
    }
  }
  context_->events->ExecStarted(id_, process->exec_id, process->pid);
  Claim(process);
  process->DropLaunch();
  Launched(process, process->pid);
}

void Task::InitRunning() {
  CRISP_FAILPOINT("task/init running");
  context_->events->Started(id_, init_->pid);
  init_->DropLaunch();
  const auto hooks = context_->launcher.poststart(facts_, bundle_);
  if (!hooks.ok()) LogWarn("poststart hooks cannot run", {{"id", id_}, {"error", hooks.status()}});
  if (!hooks.ok() || *hooks == 0) return Launched(init_.get(), init_->pid);
  // Start is answered when they are through (OCI runtime spec, "Lifecycle").
  poststart_ = *hooks;
  context_->children->OnExit(*hooks, [this](const ProcessExit& exit) {
    poststart_ = 0;
    if (exit.code != 0) LogWarn("a poststart hook failed", {{"id", id_}, {"code", exit.code}});
    Launched(init_.get(), init_->pid);
  });
}

// --- The end

void Task::OnReaped(TaskProcess* process, const ProcessExit& exit) {
  process->reaped = exit;
  // A process may end before its start is known: its launch tells the rest, now.
  if (process->state == State::kStarting && process->launch != nullptr) {
    Advance(process);
    // A failure would have been told before the end, so it ran. The socket closes later:
    // the worker has it too, until it is gone.
    if (process->launch != nullptr) Running(process);
  }
  process->DropLaunch();
  if (process == init_.get()) InitReaped();
  TellExits();
}

void Task::InitReaped() {
  CRISP_FAILPOINT("task/init reaped");
  OnOom();
  // In a pid namespace of its own the kernel has killed the rest.
  if (!facts_.private_pid_namespace) {
    if (cgroup_.has_value()) {
      if (absl::Status killed = cgroup_->Kill(SIGKILL); !killed.ok()) {
        LogWarn("an ended container's processes cannot be killed",
                {{"id", id_}, {"error", killed}});
      }
    }
    for (const auto& [exec_id, exec] : execs_) {
      if (exec->pid != 0 && !exec->reaped.has_value()) (void)::kill(exec->pid, SIGKILL);
    }
  }
  // A frozen process does not die.
  if (init_->state == State::kPaused && cgroup_.has_value()) (void)cgroup_->Thaw();
}

void Task::TellExits() {
  bool all_told = true;
  for (const auto& [exec_id, exec] : execs_) {
    if (exec->state == State::kStopped || exec->state == State::kCreated) continue;
    if (exec->reaped.has_value()) {
      TellExit(exec.get());
    } else {
      all_told = false;
    }
  }
  if (!all_told || !init_->reaped.has_value() || init_->state == State::kStopped) return;
  TellExit(init_.get());
  if (!deleting_.empty()) ContinueDelete();
}

std::string Task::ExitPath() const {
  if (!bundle_.empty()) return JoinPath(bundle_, "exit.json");
  return JoinPath(context_->exit_directory, absl::StrCat(id_, ".json"));
}

void Task::TellExit(TaskProcess* process) {
  process->state = State::kStopped;
  ExitRecord record{process->pid, process->reaped->code, process->reaped->at, false};
  process->io->StopInput();
  // What it wrote is in the log before anybody hears that it ended.
  process->io->Pump();
  if (process == init_.get()) {
    record.oom_killed = oom_kills_ > 0 && record.exit_code == 128 + SIGKILL;
    if (absl::Status written = WriteExitRecord(ExitPath(), record); !written.ok()) {
      LogWarn("an exit cannot be recorded", {{"id", id_}, {"error", written}});
    }
    CRISP_FAILPOINT("task/exit recorded");
  }
  process->exit = record;
  // Of a process that never was there is nothing to tell.
  if (process->pid != 0) context_->events->Exited(id_, process->exec_id, record);
  for (auto& waiter : std::exchange(process->waiters, {})) waiter(record);
}

void Task::Wait(const std::string& exec_id, ExitCallback done) {
  const auto found = Find(exec_id);
  if (!found.ok()) return done(found.status());
  if ((*found)->exit.has_value()) return done(*(*found)->exit);
  (*found)->waiters.push_back(
      [done = std::move(done)](const ExitRecord& record) mutable { done(record); });
}

// --- Delete

void Task::Delete(const std::string& exec_id, ExitCallback done) {
  const auto found = Find(exec_id);
  if (!found.ok()) return done(found.status());
  if (!exec_id.empty()) return DeleteExec(*found, std::move(done));
  switch (init_->state) {
    case State::kStarting:
    case State::kRunning:
    case State::kPaused:
      return done(absl::FailedPreconditionError(absl::StrCat("task ", id_, " is running")));
    case State::kCreating:
      deleting_.push_back(std::move(done));
      return LaunchFailed(init_.get(), absl::CancelledError("deleted while it was being created"));
    case State::kCreated:
      deleting_.push_back(std::move(done));
      // Goes on when it has been reaped.
      if (!init_->reaped.has_value()) (void)::kill(init_->pid, SIGKILL);
      return;
    case State::kStopped:
      deleting_.push_back(std::move(done));
      return ContinueDelete();
  }
}

void Task::DeleteExec(TaskProcess* process, ExitCallback done) {
  if (process->state != State::kCreated && process->state != State::kStopped) {
    return done(absl::FailedPreconditionError(
        absl::StrCat("process ", process->exec_id, " of task ", id_, " is running")));
  }
  process->io->Drain(kDrainWithin, [this, exec_id = process->exec_id,
                                    done = std::move(done)]() mutable {
    const auto found = execs_.find(exec_id);
    if (found == execs_.end()) return done(absl::NotFoundError(exec_id));
    const ExitRecord record = found->second->exit.value_or(ExitRecord{0, 0, absl::Now(), false});
    for (auto& waiter : found->second->waiters) waiter(record);
    execs_.erase(found);
    done(record);
  });
}

void Task::ContinueDelete() {
  if (std::exchange(draining_, true)) return;
  init_->io->Drain(kDrainWithin, [this] { Teardown(); });
}

void Task::Teardown() {
  CRISP_FAILPOINT("task/teardown begun");
  context_->loop->Unwatch(std::exchange(oom_watch_, 0));
  oom_.reset();
  auto worker = context_->launcher.teardown(facts_, bundle_);
  if (!worker.ok()) {
    LogWarn("a container cannot be cleaned up", {{"id", id_}, {"error", worker.status()}});
    return Forget();
  }
  context_->children->OnExit(*worker, [this](const ProcessExit& exit) {
    // Killed, it has said nothing of what it could not do.
    if (exit.code > 128 && ++teardowns_ < kMaxTeardowns) return Teardown();
    if (exit.code != 0) {
      LogWarn("a container was not cleaned up whole", {{"id", id_}, {"code", exit.code}});
    }
    Forget();
  });
}

void Task::Forget() {
  CRISP_FAILPOINT("task/torn down");
  const ExitRecord record = *init_->exit;
  // Of crispd's record the caller is told now; containerd's goes with the bundle.
  if (bundle_.empty()) (void)::unlink(ExitPath().c_str());
  context_->events->Deleted(id_, record);
  for (ExitCallback& done : std::exchange(deleting_, {})) done(record);
  const std::function<void()> forget = forget_;  // Outlives us.
  forget();
}

}  // namespace crisp::shim
