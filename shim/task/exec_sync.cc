#include <csignal>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "shim/task/task.h"

namespace crisp::shim {

void Task::ExecSync(ExecRequest request,
                    absl::AnyInvocable<void(absl::StatusOr<ExecResult>)> done) {
  auto io = std::make_unique<ProcessIo>(context_->loop, /*terminal=*/false);
  auto out = io->AddCapture(LogStream::kStdout, request.max_output_bytes);
  auto err = io->AddCapture(LogStream::kStderr, request.max_output_bytes);
  if (!out.ok()) return done(out.status());
  if (!err.ok()) return done(err.status());
  const std::string exec_id = absl::StrCat("sync-", next_sync_++);
  if (auto added = AddExec(exec_id, std::move(request.process_json), std::move(io), {});
      !added.ok()) {
    return done(added);
  }

  // What is known of the run; `done` is called once and is then null.
  struct Run {
    absl::AnyInvocable<void(absl::StatusOr<ExecResult>)> done;
    Loop::Id timer = 0;
    bool timed_out = false;
  };
  auto run = std::make_shared<Run>();
  run->done = std::move(done);
  auto finish = [this, run, exec_id](absl::StatusOr<ExecResult> result) {
    if (!run->done) return;
    context_->loop->Cancel(run->timer);
    std::exchange(run->done, nullptr)(std::move(result));
    ForgetSync(exec_id);
  };
  TaskProcess* const process = execs_[exec_id].get();
  if (request.timeout != absl::InfiniteDuration()) {
    run->timer = context_->loop->After(request.timeout, [this, run, process] {
      run->timed_out = true;
      if (process->pid != 0) {
        if (!process->reaped.has_value()) (void)::kill(process->pid, SIGKILL);
      } else {
        LaunchFailed(process, absl::DeadlineExceededError("timeout"));
      }
    });
  }
  const std::string timeout = absl::FormatDuration(request.timeout);
  Wait(exec_id, [this, run, finish, process, timeout, drain = request.drain, out = *out,
                 err = *err](absl::StatusOr<ExitRecord> exit) {
    if (!exit.ok()) return finish(exit.status());
    if (run->timed_out) {
      return finish(absl::DeadlineExceededError(
          absl::StrCat("the command did not end within ", timeout, " and was killed")));
    }
    context_->loop->Cancel(run->timer);
    process->io->Drain(drain, [finish, code = exit->exit_code, out, err] {
      finish(ExecResult{code, out->Data(), err->Data()});
    });
  });
  Start(exec_id, [run, finish, timeout](absl::StatusOr<pid_t> pid) {
    // At the deadline Wait has the better words.
    if (!pid.ok() && !run->timed_out) finish(pid.status());
  });
}

void Task::ForgetSync(const std::string& exec_id) {
  finished_syncs_.push_back(exec_id);
  if (sync_sweep_ != 0) return;
  sync_sweep_ = context_->loop->After(absl::ZeroDuration(), [this] {
    sync_sweep_ = 0;
    for (const std::string& id : std::exchange(finished_syncs_, {})) execs_.erase(id);
  });
}

}  // namespace crisp::shim
