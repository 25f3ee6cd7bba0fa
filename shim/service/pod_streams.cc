// crisp.shim.v1: ExecSync, Attach, AwaitDetach, ReopenLog: what a task's processes read and
// write.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "api/shim/v1/shim.pb.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

// More does not fit what kubelet accepts, either.
constexpr uint64_t kMaxOutputBytes = 16 << 20;

absl::StatusOr<UniqueFd> OpenFifo(const std::string& path, int flags) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(),
                                         flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(fd.get(), &st); }));
  if (!S_ISFIFO(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a FIFO"));
  }
  return fd;
}

absl::Status Attach(Tasks& tasks, const v1::AttachRequest& request) {
  CRISP_ASSIGN_OR_RETURN(Task* const task, tasks.Find(request.id()));
  if (!task->running()) {
    return absl::FailedPreconditionError(absl::StrCat("task ", request.id(), " does not run"));
  }
  ProcessIo& io = *task->init().io;
  if (io.log() == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("task ", request.id(), " was not created for attaching"));
  }
  // All are opened before any is joined: an error leaves nothing attached.
  UniqueFd in, out, err;
  if (!request.stdin().empty()) {
    if (!io.has_stdin()) {
      return absl::FailedPreconditionError(
          absl::StrCat("task ", request.id(), " has no stdin, or it was closed"));
    }
    CRISP_ASSIGN_OR_RETURN(in, OpenFifo(request.stdin(), O_RDONLY));
  }
  if (!request.stdout().empty()) {
    CRISP_ASSIGN_OR_RETURN(out, OpenFifo(request.stdout(), O_WRONLY));
  }
  // A terminal has one output.
  if (!request.stderr().empty() && !io.terminal()) {
    CRISP_ASSIGN_OR_RETURN(err, OpenFifo(request.stderr(), O_WRONLY));
  }
  const std::string& name = request.stdout().empty() ? request.stderr() : request.stdout();
  for (auto& [stream, fifo] : {std::pair(LogStream::kStdout, &out), {LogStream::kStderr, &err}}) {
    if (fifo->ok()) CRISP_RETURN_IF_ERROR(io.log()->Attach(stream, std::move(*fifo), name));
  }
  if (in.ok()) CRISP_RETURN_IF_ERROR(io.AttachStdin(std::move(in)));
  return absl::OkStatus();
}

absl::Status ReopenLog(Tasks& tasks, const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(Task* const task, tasks.Find(id));
  ProcessIo& io = *task->init().io;
  return io.log() == nullptr ? absl::OkStatus() : io.log()->Reopen();
}

void Answer(Reply reply, const absl::Status& status) {
  if (!status.ok()) return std::move(reply).Error(status);
  std::move(reply).Ok(wire::Empty());
}

}  // namespace

void PodExecSync(Service& service, absl::string_view payload, Reply reply) {
  v1::ExecSyncRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  Task::ExecRequest exec;
  exec.process_json = std::move(*request.mutable_process_json());
  exec.timeout =
      request.timeout_ns() > 0 ? absl::Nanoseconds(request.timeout_ns()) : absl::InfiniteDuration();
  exec.max_output_bytes =
      static_cast<size_t>(std::min<uint64_t>(request.max_output_bytes(), kMaxOutputBytes));
  exec.drain = absl::Nanoseconds(std::max<int64_t>(request.drain_ns(), 0));
  (*task)->ExecSync(std::move(exec),
                    [reply = std::move(reply)](absl::StatusOr<Task::ExecResult> result) mutable {
                      if (!result.ok()) return std::move(reply).Error(result.status());
                      v1::ExecSyncResponse response;
                      response.set_stdout(std::move(result->out));
                      response.set_stderr(std::move(result->err));
                      response.set_exit_code(result->exit_code);
                      std::move(reply).Ok(response);
                    });
}

void PodAttach(Service& service, absl::string_view payload, Reply reply) {
  v1::AttachRequest request;
  if (!Parse(payload, &request, reply)) return;
  Answer(std::move(reply), Attach(service.tasks(), request));
}

void PodAwaitDetach(Service& service, absl::string_view payload, Reply reply) {
  v1::AwaitDetachRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  auto answer = [reply = std::move(reply)](bool fell_behind) mutable {
    v1::AwaitDetachResponse response;
    response.set_fell_behind(fell_behind);
    std::move(reply).Ok(response);
  };
  ContainerLog* const log = (*task)->init().io->log();
  if (log == nullptr) return answer(false);
  log->OnDetached(request.stdout(), std::move(answer));
}

void PodReopenLog(Service& service, absl::string_view payload, Reply reply) {
  v1::ReopenLogRequest request;
  if (!Parse(payload, &request, reply)) return;
  Answer(std::move(reply), ReopenLog(service.tasks(), request.id()));
}

}  // namespace crisp::shim
