#include "cri/task/native_sessions.h"

#include <signal.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "api/shim/v1/shim.pb.h"
#include "api/shim/wire/task.pb.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "cri/task/exit_notice.h"
#include "cri/task/fifo.h"
#include "cri/task/native_messages.h"
#include "cri/task/session_fifos.h"

namespace crisp::cri {
namespace {

namespace wire = shim::wire;
using shim::kShimService;
using shim::kTaskService;
using shim::ShimClient;

constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";
// For calls whose answer nobody waits for.
constexpr absl::Duration kLater = absl::Seconds(30);

// How long after the end of an attached reader's streams the shim may take to say why.
constexpr absl::Duration kDetachGrace = absl::Seconds(1);

void Ignore(absl::Status, std::string) {}

// A process by its shim: init if exec_id is empty.
struct Process {
  std::shared_ptr<ShimClient> client;
  std::string task_id;
  std::string exec_id;
  std::unique_ptr<SessionFifos> fifos;
  ExitNotice notice;

  absl::Mutex mu;
  bool exited ABSL_GUARDED_BY(mu) = false;
  bool abandoned ABSL_GUARDED_BY(mu) = false;
  bool stdin_closed ABSL_GUARDED_BY(mu) = false;
  bool detached ABSL_GUARDED_BY(mu) = false;  // Attached only.
  bool fell_behind ABSL_GUARDED_BY(mu) = false;
  std::vector<std::unique_ptr<FifoReader>> discards ABSL_GUARDED_BY(mu);

  void DeleteLater() {
    wire::DeleteRequest request;
    request.set_id(task_id);
    request.set_exec_id(exec_id);
    client->CallAsync(kTaskService, "Delete", request, kLater, Ignore);
  }

  void ResizeLater(uint32_t width, uint32_t height) {
    // Calls over one connection reach the shim in their order: the newest size is last.
    wire::ResizePtyRequest request;
    request.set_id(task_id);
    request.set_exec_id(exec_id);
    request.set_width(width);
    request.set_height(height);
    client->CallAsync(kTaskService, "ResizePty", request, kLater, Ignore);
  }
};
using ProcessRef = std::shared_ptr<Process>;

// Tells the notice of the process's end.
void WaitFor(const ProcessRef& process, bool forget) {
  wire::WaitRequest request;
  request.set_id(process->task_id);
  request.set_exec_id(process->exec_id);
  process->client->CallAsync(
      kTaskService, "Wait", request, absl::InfiniteDuration(),
      [process, forget](absl::Status status, std::string payload) {
        std::vector<std::unique_ptr<FifoReader>> discards;  // Stopped after the lock.
        {
          absl::MutexLock lock(&process->mu);
          process->exited = true;
          discards.swap(process->discards);
          if (forget && process->abandoned) process->DeleteLater();
        }
        wire::WaitResponse response;
        if (status.ok() && response.ParseFromString(payload)) {
          process->notice.Tell(static_cast<int>(response.exit_status()));
        } else {
          process->notice.Tell(absl::NotFoundError("nobody knows how the process ended"));
        }
      });
}

// Learns why an attached reader's streams end.
void WaitForDetach(const ProcessRef& process, const std::string& stdout_path) {
  shim::v1::AwaitDetachRequest request;
  request.set_id(process->task_id);
  request.set_stdout(stdout_path);
  process->client->CallAsync(kShimService, "AwaitDetach", request, absl::InfiniteDuration(),
                             [process](absl::Status status, std::string payload) {
                               shim::v1::AwaitDetachResponse response;
                               const bool told = status.ok() && response.ParseFromString(payload);
                               absl::MutexLock lock(&process->mu);
                               process->detached = true;
                               process->fell_behind = told && response.fell_behind();
                             });
}

// What both kinds of session have in common.
template <typename Base>
class Session : public Base {
 public:
  explicit Session(ProcessRef process)
      : process_(std::move(process)),
        stdin_fd_(process_->fifos->stdin.get()),
        stdout_fd_(process_->fifos->stdout.get()),
        stderr_fd_(process_->fifos->stderr.get()) {}

  int stdin_fd() const override { return stdin_fd_; }
  int stdout_fd() const override { return stdout_fd_; }
  int stderr_fd() const override { return stderr_fd_; }
  void Resize(uint32_t width, uint32_t height) override { process_->ResizeLater(width, height); }
  void OnExit(TaskSession::ExitCallback callback) override {
    process_->notice.OnExit(std::move(callback));
  }

 protected:
  // False if it was closed already, or never open.
  bool EndInput() {
    absl::MutexLock lock(&process_->mu);
    if (stdin_fd_ < 0 || process_->stdin_closed) return false;
    process_->stdin_closed = true;
    process_->fifos->stdin.reset();
    return !process_->exited;
  }

  const ProcessRef process_;

 private:
  const int stdin_fd_;
  const int stdout_fd_;
  const int stderr_fd_;
};

class Executed : public Session<ExecSession> {
 public:
  Executed(IoLoop* loop, ProcessRef process)
      : Session<ExecSession>(std::move(process)), loop_(loop) {}

  ~Executed() override {
    process_->notice.Forget();
    CloseStdin();
    absl::MutexLock lock(&process_->mu);
    process_->abandoned = true;
    if (process_->exited) {
      process_->DeleteLater();
      return;
    }
    // The process goes on, and never waits for a reader that has gone.
    for (UniqueFd* output : {&process_->fifos->stdout, &process_->fifos->stderr}) {
      if (!output->ok()) continue;
      auto discard = FifoReader::Start(
          loop_, std::move(*output), [](absl::string_view) {}, [] {});
      if (discard.ok()) process_->discards.push_back(*std::move(discard));
    }
  }

  void CloseStdin() override {
    if (!EndInput()) return;
    // The shim holds the FIFO open for other writers.
    wire::CloseIORequest request;
    request.set_id(process_->task_id);
    request.set_exec_id(process_->exec_id);
    request.set_stdin(true);
    process_->client->CallAsync(kTaskService, "CloseIO", request, kLater, Ignore);
  }

  absl::Status Signal(int signal) override {
    wire::KillRequest request;
    request.set_id(process_->task_id);
    request.set_exec_id(process_->exec_id);
    request.set_signal(static_cast<uint32_t>(signal));
    const absl::Status sent =
        process_->client->Call(kTaskService, "Kill", request, nullptr, kLater);
    if (absl::IsNotFound(sent)) return absl::OkStatus();
    return Annotate(sent, "signal ", signal, " to a process of ", process_->task_id);
  }

 private:
  IoLoop* const loop_;
};

class Attached : public Session<TaskSession> {
 public:
  using Session::Session;
  ~Attached() override {
    process_->notice.Forget();
    CloseStdin();
    absl::MutexLock lock(&process_->mu);
    process_->fifos->stdout.reset();
    process_->fifos->stderr.reset();
  }

  // Whether that is the container's end of input is the shim's to say.
  void CloseStdin() override { (void)EndInput(); }

  // The shim closes the streams of a reader that it drops, as the container's end does;
  // and tells which of the two it was.
  bool fell_behind() const override {
    absl::MutexLock lock(&process_->mu);
    return process_->mu.AwaitWithTimeout(absl::Condition(&process_->detached), kDetachGrace) &&
           process_->fell_behind;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<ExecSession>> NativeSessions::Exec(
    std::shared_ptr<ShimClient> client, const std::string& task_id, const std::string& process_json,
    const SessionStreams& streams) {
  auto process = std::make_shared<Process>();
  process->client = std::move(client);
  process->task_id = task_id;
  process->exec_id = RandomHex(32);
  CRISP_ASSIGN_OR_RETURN(process->fifos, SessionFifos::Make(directory_, process->exec_id, streams));
  wire::ExecProcessRequest exec;
  exec.set_id(task_id);
  exec.set_exec_id(process->exec_id);
  exec.set_stdin(process->fifos->stdin_path());
  exec.set_stdout(process->fifos->stdout_path());
  exec.set_stderr(process->fifos->stderr_path());
  exec.set_terminal(streams.terminal);
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(process_json);
  CRISP_RETURN_IF_ERROR(
      FromLaunch(process->client->Call(kTaskService, "Exec", exec, nullptr, options_.call)));
  CRISP_FAILPOINT("exec/process made");
  wire::StartRequest start;
  start.set_id(task_id);
  start.set_exec_id(process->exec_id);
  const absl::Status started =
      process->client->Call(kTaskService, "Start", start, nullptr, options_.start);
  if (!started.ok()) {
    process->DeleteLater();
    return FromLaunch(started);
  }
  CRISP_FAILPOINT("exec/process started");
  const absl::Status opened = process->fifos->OpenStdin(options_.open_stdin);
  process->fifos->RemoveFiles();
  WaitFor(process, /*forget=*/true);
  auto session = std::make_unique<Executed>(loop_, std::move(process));
  if (!opened.ok()) {
    (void)session->Signal(SIGKILL);
    return Annotate(opened, "input of a process in ", task_id);
  }
  return session;
}

absl::StatusOr<std::unique_ptr<TaskSession>> NativeSessions::Attach(
    std::shared_ptr<ShimClient> client, const std::string& task_id, const SessionStreams& streams) {
  auto process = std::make_shared<Process>();
  process->client = std::move(client);
  process->task_id = task_id;
  CRISP_ASSIGN_OR_RETURN(process->fifos, SessionFifos::Make(directory_, RandomHex(32), streams));
  shim::v1::AttachRequest request;
  request.set_id(task_id);
  request.set_stdin(process->fifos->stdin_path());
  request.set_stdout(process->fifos->stdout_path());
  request.set_stderr(process->fifos->stderr_path());
  absl::Status attached =
      process->client->Call(kShimService, "Attach", request, nullptr, options_.call);
  if (absl::IsFailedPrecondition(attached) && streams.stdin) {
    // Its input may have ended; its output is still to be had.
    request.clear_stdin();
    attached = process->client->Call(kShimService, "Attach", request, nullptr, options_.call);
  }
  CRISP_RETURN_IF_ERROR(attached);
  if (!request.stdin().empty()) {
    CRISP_RETURN_IF_ERROR(
        Annotate(process->fifos->OpenStdin(options_.open_stdin), "input of ", task_id));
  }
  process->fifos->RemoveFiles();
  WaitFor(process, /*forget=*/false);
  WaitForDetach(process, request.stdout().empty() ? request.stderr() : request.stdout());
  return std::make_unique<Attached>(std::move(process));
}

}  // namespace crisp::cri
