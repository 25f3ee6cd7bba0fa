#include "shim/launch/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/hierarchies.h"
#include "shim/launch/facts.h"
#include "shim/launch/protocol.h"
#include "shim/launch/worker.h"

namespace crisp::shim {
namespace {

// They do not change while a node runs.
absl::StatusOr<const cgroup::Hierarchies*> Hosts() {
  static const auto* const hosts =
      new absl::StatusOr<cgroup::Hierarchies>(cgroup::Hierarchies::Probe());
  if (!hosts->ok()) return hosts->status();
  return &**hosts;
}

template <typename F>
absl::StatusOr<pid_t> Fork(F run) {
  CRISP_ASSIGN_OR_RETURN(const pid_t pid, SysValue("fork", [] { return ::fork(); }));
  if (pid == 0) run();
  return pid;
}

class ForkedLaunch : public Launch {
 public:
  ForkedLaunch(UniqueFd home, pid_t worker, bool exec, std::string bundle)
      : home_(std::move(home)), worker_(worker), exec_(exec), bundle_(std::move(bundle)) {}

  ~ForkedLaunch() override {
    if (over_ || taken_) return;
    // What arrives from here on finds nobody, and the worker undoes it. What has arrived
    // is undone here.
    (void)::shutdown(home_.get(), SHUT_RD);
    (void)Advance();
    if (!init_.ok()) return;
    (void)::syscall(SYS_pidfd_send_signal, init_.get(), SIGKILL, nullptr, 0);
    if (!exec_) (void)BeginTeardown(facts_, bundle_);
  }

  int fd() const override { return home_.get(); }

  absl::StatusOr<Stage> Advance() override {
    if (over_) return absl::FailedPreconditionError("the launch is over");
    while (stage_ != Stage::kRunning) {
      auto message = ReceiveMessage(home_.get());
      if (!message.ok()) {
        const int err = ErrnoOf(message.status());
        if (err == EAGAIN || err == EWOULDBLOCK) return stage_;
        // The end of the socket is good news from an execve only.
        if (absl::IsUnavailable(message.status()) && started_) {
          stage_ = Stage::kRunning;
          break;
        }
        TakeBack();
        return Over(Step::kProtocol, message.status());
      }
      if (message->kind == MessageKind::kCgroup && stage_ == Stage::kPreparing) {
        facts_.cgroup_path = std::move(message->body);
        continue;
      }
      if (message->kind == MessageKind::kFailed) return Over(message->step, message->failure);
      if (message->kind != MessageKind::kCreated || init_.ok()) {
        return Over(Step::kProtocol, absl::DataLossError("a message out of order"));
      }
      CRISP_RETURN_IF_ERROR(Take(*std::move(message)));
    }
    taken_ = taken_ || stage_ != Stage::kPreparing;
    return stage_;
  }

  absl::Status Start() override {
    if (stage_ != Stage::kCreated || started_) {
      return absl::FailedPreconditionError("not a created container");
    }
    started_ = true;
    return WithStep(Step::kProtocol, SendKind(home_.get(), MessageKind::kStart));
  }

  const ContainerFacts& facts() const override { return facts_; }
  pid_t pid() const override { return facts_.pid; }
  UniqueFd TakeConsole() override { return std::move(console_); }
  pid_t worker() const override { return worker_; }

 private:
  absl::Status Over(Step step, const absl::Status& failure) {
    over_ = true;
    return WithStep(step, failure);
  }

  // What a worker that was killed could not undo. Its init ends with their socket, or with
  // the cgroup.
  void TakeBack() {
    if (exec_ || taken_ || facts_.cgroup_path.empty()) return;
    (void)BeginTeardown(facts_, bundle_);
  }

  absl::Status Take(Message created) {
    auto facts = DecodeFacts(created.body);
    if (!facts.ok() || created.fds.empty()) {
      return Over(Step::kProtocol, absl::DataLossError("a malformed message"));
    }
    facts_ = *std::move(facts);
    init_ = std::move(created.fds[0]);
    if (created.fds.size() > 1) console_ = std::move(created.fds[1]);
    if (exec_) {
      started_ = true;  // By the worker.
    } else {
      stage_ = Stage::kCreated;
    }
    return absl::OkStatus();
  }

  UniqueFd home_;
  const pid_t worker_;
  const bool exec_;
  const std::string bundle_;
  Stage stage_ = Stage::kPreparing;
  bool started_ = false;
  bool taken_ = false;  // The caller has seen that there is a process, and owns it.
  bool over_ = false;
  ContainerFacts facts_;
  UniqueFd init_;  // A pidfd.
  UniqueFd console_;
};

template <typename F>
absl::StatusOr<std::unique_ptr<Launch>> BeginWith(bool exec, const std::string& bundle, F run) {
  CRISP_ASSIGN_OR_RETURN(SocketPair pair, MakeSocketPair());
  CRISP_RETURN_IF_ERROR(
      Sys("fcntl", [&] { return ::fcntl(pair.first.get(), F_SETFL, O_NONBLOCK); }));
  CRISP_ASSIGN_OR_RETURN(const pid_t worker, Fork([&] { run(pair.second.get()); }));
  return std::make_unique<ForkedLaunch>(std::move(pair.first), worker, exec, bundle);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Launch>> Launch::Begin(const ContainerLaunch& request) {
  CRISP_ASSIGN_OR_RETURN(const cgroup::Hierarchies* hosts, Hosts());
  return BeginWith(/*exec=*/false, request.bundle,
                   [&](int home) { RunContainerWorker(request, *hosts, home); });
}

absl::StatusOr<std::unique_ptr<Launch>> Launch::Begin(const ExecLaunch& request) {
  CRISP_ASSIGN_OR_RETURN(const cgroup::Hierarchies* hosts, Hosts());
  // Before the fork: the shim has not reaped the pid, so that it is still the container's.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd container, SysFd("open the container's init", [&] {
                           return ::syscall(SYS_pidfd_open, request.container.pid, 0);
                         }));
  return BeginWith(/*exec=*/true, "",
                   [&](int home) { RunExecWorker(request, *hosts, container.get(), home); });
}

absl::StatusOr<pid_t> BeginPoststart(const ContainerFacts& facts, const std::string& bundle) {
  if (facts.hooks_json.empty()) return 0;
  return Fork([&] { RunPoststartWorker(facts, bundle); });
}

absl::StatusOr<pid_t> BeginTeardown(const ContainerFacts& facts, const std::string& bundle) {
  CRISP_ASSIGN_OR_RETURN(const cgroup::Hierarchies* hosts, Hosts());
  return Fork([&] { RunTeardownWorker(facts, *hosts, bundle); });
}

}  // namespace crisp::shim
