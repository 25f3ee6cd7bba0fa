#include "cri/task/exec_sync.h"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/task/fifo.h"
#include "cri/task/late_calls.h"
#include "cri/task/runtime_status.h"

namespace crisp::cri {
namespace {

absl::Duration Now() { return Clock::Real()->Steady(); }

namespace tasks = containerd::services::tasks::v1;

constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
constexpr absl::Duration kUnavailableFor = absl::Seconds(10);

// One stream of the process, kept up to a bound.
class Collector {
 public:
  explicit Collector(size_t max_bytes) : max_bytes_(max_bytes) {}

  absl::Status Start(IoLoop* loop, const IoDirectory& directory, const std::string& name) {
    CRISP_RETURN_IF_ERROR(MakeFifoAt(directory.fd.get(), name));
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenFifoAt(directory.fd.get(), name));
    CRISP_ASSIGN_OR_RETURN(reader_, FifoReader::Start(
                                        loop, std::move(fd),
                                        [this](absl::string_view data) {
                                          const size_t room = max_bytes_ - data_.size();
                                          data_.append(data.data(), std::min(room, data.size()));
                                        },
                                        [this] {
                                          absl::MutexLock lock(&mu_);
                                          ended_ = true;
                                        }));
    return absl::OkStatus();
  }

  void WaitForEnd(absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&ended_), timeout);
  }

  // Ends the collection.
  std::string Take() {
    reader_->Stop();
    reader_->Drain();
    return std::move(data_);
  }

 private:
  const size_t max_bytes_;
  std::string data_;  // The loop's until the reader has stopped.
  absl::Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<FifoReader> reader_;
};

}  // namespace

absl::StatusOr<ExecResult> ExecSyncRunner::Run(const std::string& task_id,
                                               const std::string& process_json,
                                               absl::Duration timeout) {
  if (timeout <= absl::ZeroDuration()) timeout = absl::InfiniteDuration();
  const absl::Duration deadline = Now() + timeout;
  const std::string exec_id = RandomHex(32);
  CRISP_ASSIGN_OR_RETURN(const IoDirectory streams, directory_->Make(exec_id));
  auto remove = absl::MakeCleanup([&] { (void)RemoveTreeAt(directory_->fd.get(), exec_id); });
  Collector out(options_.max_output_bytes), err(options_.max_output_bytes);
  CRISP_RETURN_IF_ERROR(out.Start(loop_, streams, "stdout"));
  CRISP_RETURN_IF_ERROR(err.Start(loop_, streams, "stderr"));

  tasks::ExecProcessRequest exec;
  exec.set_container_id(task_id);
  exec.set_exec_id(exec_id);
  exec.set_stdout(JoinPath(streams.path, "stdout"));
  exec.set_stderr(JoinPath(streams.path, "stderr"));
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(process_json);
  google::protobuf::Empty nothing;
  CRISP_RETURN_IF_ERROR(
      Annotate(FromRuntime(containerd_->tasks().Exec(containerd_->Context().get(), exec, &nothing)),
               "exec in ", task_id));
  auto kill = absl::MakeCleanup([&] { KillAndDelete(task_id, exec_id); });

  tasks::StartRequest start;
  start.set_container_id(task_id);
  start.set_exec_id(exec_id);
  tasks::StartResponse started;
  CRISP_RETURN_IF_ERROR(Annotate(FromRuntime(containerd_->tasks().Start(
                                     containerd_->Context(options_.start).get(), start, &started)),
                                 "exec in ", task_id));
  // The shim keeps the exit of a process until it is deleted: Wait may come late.
  auto code = Wait(task_id, exec_id, deadline);
  if (!code.ok()) {
    if (!absl::IsDeadlineExceeded(code.status())) return code.status();
    return absl::DeadlineExceededError(absl::StrCat(
        "the command did not end within ", absl::FormatDuration(timeout), " and was killed"));
  }
  const absl::Duration drained_by = Now() + options_.drain;
  out.WaitForEnd(drained_by - Now());
  err.WaitForEnd(drained_by - Now());
  std::move(kill).Cancel();
  DeleteProcessLater(containerd_, task_id, exec_id);
  return ExecResult{out.Take(), err.Take(), *code};
}

absl::StatusOr<int> ExecSyncRunner::Wait(const std::string& task_id, const std::string& exec_id,
                                         absl::Duration deadline) {
  tasks::WaitRequest request;
  request.set_container_id(task_id);
  request.set_exec_id(exec_id);
  absl::Duration away_since = absl::InfiniteDuration();
  while (true) {
    tasks::WaitResponse response;
    const absl::Duration left = deadline - Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("timeout");
    const grpc::Status status =
        containerd_->tasks().Wait(containerd_->Context(left).get(), request, &response);
    if (status.ok()) return static_cast<int>(response.exit_status());
    // containerd restarts and the process runs on: it will be found again.
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return FromRuntime(status);
    away_since = std::min(away_since, Now());
    if (Now() - away_since > kUnavailableFor) return FromRuntime(status);
    absl::SleepFor(std::min(absl::Milliseconds(200), left));
  }
}

void ExecSyncRunner::KillAndDelete(const std::string& task_id, const std::string& exec_id) {
  tasks::KillRequest kill;
  kill.set_container_id(task_id);
  kill.set_exec_id(exec_id);
  kill.set_signal(SIGKILL);
  google::protobuf::Empty nothing;
  // Fails for a process that never started or has ended: both can be deleted.
  if (containerd_->tasks().Kill(containerd_->Context().get(), kill, &nothing).ok()) {
    (void)Wait(task_id, exec_id, Now() + options_.kill);
  }
  DeleteProcessLater(containerd_, task_id, exec_id);
}

}  // namespace crisp::cri
