#include "cri/task/exec_sessions.h"

#include <signal.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "cri/task/exit_notice.h"
#include "cri/task/fifo.h"
#include "cri/task/late_calls.h"
#include "cri/task/runtime_status.h"
#include "cri/task/session_fifos.h"
#include "cri/task/tty_resizer.h"

namespace crisp::cri {
namespace {

namespace tasks = containerd::services::tasks::v1;

constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

}  // namespace

struct ExecSessions::Process {
  std::string task_id;
  std::string exec_id;
  std::string key() const { return ExitWatcher::ExecKey(task_id, exec_id); }

  std::unique_ptr<SessionFifos> fifos;
  std::shared_ptr<TtyResizer> resizer;
  ExitNotice notice;

  absl::Mutex mu;
  bool exited ABSL_GUARDED_BY(mu) = false;
  bool abandoned ABSL_GUARDED_BY(mu) = false;
  bool stdin_closed ABSL_GUARDED_BY(mu) = false;
  std::vector<std::unique_ptr<FifoReader>> discards ABSL_GUARDED_BY(mu);
};

class ExecSessions::Session : public ExecSession {
 public:
  Session(ExecSessions* owner, std::shared_ptr<Process> process)
      : stdin_fd_(process->fifos->stdin.get()),
        stdout_fd_(process->fifos->stdout.get()),
        stderr_fd_(process->fifos->stderr.get()),
        owner_(owner),
        process_(std::move(process)) {}

  ~Session() override {
    process_->notice.Forget();
    process_->resizer->Stop();
    CloseStdin();
    owner_->Abandon(process_);
  }

  int stdin_fd() const override { return stdin_fd_; }
  int stdout_fd() const override { return stdout_fd_; }
  int stderr_fd() const override { return stderr_fd_; }

  void Resize(uint32_t width, uint32_t height) override {
    process_->resizer->Resize(width, height);
  }

  void CloseStdin() override {
    if (stdin_fd_ < 0) return;
    absl::MutexLock lock(&process_->mu);
    if (process_->stdin_closed) return;
    process_->stdin_closed = true;
    process_->fifos->stdin.reset();
    if (!process_->exited) CloseIoLater(owner_->containerd_, process_->task_id, process_->exec_id);
  }

  void OnExit(ExitCallback callback) override { process_->notice.OnExit(std::move(callback)); }

  absl::Status Signal(int signal) override {
    tasks::KillRequest request;
    request.set_container_id(process_->task_id);
    request.set_exec_id(process_->exec_id);
    request.set_signal(static_cast<uint32_t>(signal));
    google::protobuf::Empty nothing;
    const grpc::Status status =
        owner_->containerd_->tasks().Kill(owner_->containerd_->Context().get(), request, &nothing);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return absl::OkStatus();
    return Annotate(FromRuntime(status), "signal ", signal, " to a process of ", process_->task_id);
  }

 private:
  const int stdin_fd_;
  const int stdout_fd_;
  const int stderr_fd_;
  ExecSessions* const owner_;
  const std::shared_ptr<Process> process_;
};

ExecSessions::ExecSessions(Containerd* containerd, IoLoop* loop, const IoDirectory* directory,
                           const Options& options)
    : containerd_(containerd),
      loop_(loop),
      directory_(directory),
      options_(options),
      watcher_(containerd, loop,
               [this](const std::string& key, const TaskExit& exit) { OnExit(key, exit); }) {}

ExecSessions::~ExecSessions() = default;

absl::StatusOr<std::unique_ptr<ExecSession>> ExecSessions::Start(const std::string& task_id,
                                                                 const std::string& process_json,
                                                                 const SessionStreams& streams) {
  auto process = std::make_shared<Process>();
  process->task_id = task_id;
  process->exec_id = RandomHex(32);
  process->resizer = std::make_shared<TtyResizer>(containerd_, task_id, process->exec_id);
  CRISP_ASSIGN_OR_RETURN(process->fifos,
                         SessionFifos::Make(*directory_, process->exec_id, streams));
  tasks::ExecProcessRequest exec;
  exec.set_container_id(task_id);
  exec.set_exec_id(process->exec_id);
  exec.set_stdin(process->fifos->stdin_path());
  exec.set_stdout(process->fifos->stdout_path());
  exec.set_stderr(process->fifos->stderr_path());
  exec.set_terminal(streams.terminal);
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(process_json);
  google::protobuf::Empty nothing;
  CRISP_RETURN_IF_ERROR(
      Annotate(FromRuntime(containerd_->tasks().Exec(containerd_->Context().get(), exec, &nothing)),
               "exec in ", task_id));
  tasks::StartRequest start;
  start.set_container_id(task_id);
  start.set_exec_id(process->exec_id);
  tasks::StartResponse started;
  const grpc::Status status =
      containerd_->tasks().Start(containerd_->Context(options_.start).get(), start, &started);
  if (!status.ok()) {
    DeleteProcessLater(containerd_, task_id, process->exec_id);
    return Annotate(FromRuntime(status), "exec in ", task_id);
  }
  const absl::Status opened = process->fifos->OpenStdin(options_.open_stdin);
  process->fifos->RemoveFiles();
  {
    absl::MutexLock lock(&mu_);
    processes_[process->key()] = process;
  }
  watcher_.Watch(process->key());
  auto session = std::make_unique<Session>(this, std::move(process));
  if (!opened.ok()) {
    (void)session->Signal(SIGKILL);
    return Annotate(opened, "input of a process in ", task_id);
  }
  return session;
}

void ExecSessions::OnExit(const std::string& key, const TaskExit& exit) {
  std::shared_ptr<Process> process;
  {
    absl::MutexLock lock(&mu_);
    auto it = processes_.find(key);
    if (it == processes_.end()) return;
    process = it->second;
  }
  bool abandoned;
  {
    absl::MutexLock lock(&process->mu);
    if (process->exited) return;
    process->exited = true;
    abandoned = process->abandoned;
  }
  if (abandoned) {
    Forget(process);
  } else if (exit.lost) {
    process->notice.Tell(absl::NotFoundError("nobody knows how the process ended"));
  } else {
    process->notice.Tell(exit.exit_code);
  }
}

void ExecSessions::Abandon(const std::shared_ptr<Process>& process) {
  {
    absl::MutexLock lock(&process->mu);
    process->abandoned = true;
    if (!process->exited) {
      for (UniqueFd* output : {&process->fifos->stdout, &process->fifos->stderr}) {
        if (!output->ok()) continue;
        auto discard = FifoReader::Start(
            loop_, std::move(*output), [](absl::string_view) {}, [] {});
        if (discard.ok()) process->discards.push_back(*std::move(discard));
      }
      return;
    }
  }
  Forget(process);
}

void ExecSessions::Forget(const std::shared_ptr<Process>& process) {
  {
    absl::MutexLock lock(&mu_);
    processes_.erase(process->key());
  }
  std::vector<std::unique_ptr<FifoReader>> discards;  // Stopped outside the lock.
  {
    absl::MutexLock lock(&process->mu);
    discards.swap(process->discards);
  }
  DeleteProcessLater(containerd_, process->task_id, process->exec_id);
}

}  // namespace crisp::cri
