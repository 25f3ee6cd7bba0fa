#include "shim/task/fake_launcher.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::shim {
namespace {

// The child waits for a byte (an exec does not), then executes; if that fails it sends
// errno, and if not the socket closes.
class FakeLaunch : public Launch {
 public:
  static absl::StatusOr<std::unique_ptr<Launch>> Begin(const nlohmann::json& process,
                                                       const nlohmann::json& options,
                                                       const ProcessStreams& streams, bool waits) {
    const std::string fail = options.value("fail", "");
    std::vector<std::string> args = process["args"];
    std::array<int, 2> fds;
    CRISP_RETURN_IF_ERROR(Sys("socketpair", [&] {
      return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data());
    }));
    std::unique_ptr<FakeLaunch> launch(new FakeLaunch());
    launch->socket_ = UniqueFd(fds[0]);
    UniqueFd theirs(fds[1]);
    UniqueFd slave;
    if (streams.terminal) {
      int master = -1, other = -1;
      CRISP_RETURN_IF_ERROR(
          Sys("openpty", [&] { return ::openpty(&master, &other, nullptr, nullptr, nullptr); }));
      launch->console_ = UniqueFd(master);
      slave = UniqueFd(other);
      ::fcntl(master, F_SETFD, FD_CLOEXEC);
    }
    launch->created_ = waits;
    launch->fails_ = fail;
    launch->facts_.private_pid_namespace = !options.value("sharedPid", false);
    launch->pid_ = ::fork();
    if (launch->pid_ == 0) Child(args, streams, slave.get(), theirs.get(), waits, fail);
    launch->facts_.pid = launch->pid_;
    if (options.value("slowWorker", false)) {
      launch->worker_ = ::fork();
      if (launch->worker_ == 0) {
        while (true) ::pause();
      }
    }
    return std::unique_ptr<Launch>(std::move(launch));
  }

  ~FakeLaunch() override {
    if (!taken_) ::kill(pid_, SIGKILL);
    if (worker_ > 0) ::kill(worker_, SIGKILL);
  }
  int fd() const override { return socket_.get(); }

  absl::StatusOr<Stage> Advance() override {
    if (fails_ == "create") return absl::InvalidArgumentError("the spec says: fail");
    char text[256];
    const ssize_t n = ::recv(socket_.get(), text, sizeof(text), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return taken_ ? Stage::kCreated : Stage::kPreparing;
    if (n > 0 && text[0] == 'c') {
      taken_ = true;
      return Stage::kCreated;
    }
    if (n > 0) {
      return ErrnoStatus(std::atoi(text + 1), "execve");
    }
    // Closed: by execve, or by death.
    if (created_ && !started_) return absl::InternalError("init ended before it was started");
    taken_ = true;
    return Stage::kRunning;
  }
  absl::Status Start() override {
    started_ = true;
    (void)::send(socket_.get(), "s", 1, MSG_NOSIGNAL);
    return absl::OkStatus();
  }
  const ContainerFacts& facts() const override { return facts_; }
  pid_t pid() const override { return pid_; }
  UniqueFd TakeConsole() override { return std::move(console_); }
  pid_t worker() const override { return worker_; }

 private:
  [[noreturn]] static void Child(const std::vector<std::string>& args,
                                 const ProcessStreams& streams, int slave, int socket, bool waits,
                                 const std::string& fail) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setsid();
    if (streams.terminal) {
      ::ioctl(slave, TIOCSCTTY, 0);
      for (int fd = 0; fd < 3; ++fd) ::dup2(slave, fd);
    } else {
      for (int fd = 0; fd < 3; ++fd) {
        if (streams.fds[fd] >= 0) {
          ::dup2(streams.fds[fd], fd);
        } else {
          ::dup2(::open("/dev/null", O_RDWR | O_CLOEXEC), fd);
        }
      }
    }
    if (waits) {
      char byte;
      if (::send(socket, "c", 1, MSG_NOSIGNAL) != 1 || ::recv(socket, &byte, 1, 0) != 1) {
        ::_exit(1);
      }
    }
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    if (fail != "start") ::execvp(argv[0], argv.data());
    const std::string error = absl::StrCat("e", fail == "start" ? EACCES : errno);
    (void)::send(socket, error.c_str(), error.size() + 1, MSG_NOSIGNAL);
    ::_exit(1);
  }

  UniqueFd socket_;
  UniqueFd console_;
  ContainerFacts facts_;
  pid_t pid_ = 0;
  pid_t worker_ = 0;      // It does nothing but hold their end of the socket.
  bool created_ = false;  // It waits for Start.
  bool started_ = false;
  bool taken_ = false;
  std::string fails_;
};

absl::StatusOr<nlohmann::json> Json(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("not JSON");
  return json;
}

}  // namespace

Launcher FakeLauncher() {
  Launcher launcher;
  launcher.container = [](const ContainerLaunch& r) -> absl::StatusOr<std::unique_ptr<Launch>> {
    CRISP_ASSIGN_OR_RETURN(const nlohmann::json spec, Json(r.spec_json));
    return FakeLaunch::Begin(spec["process"], spec, r.streams, /*waits=*/true);
  };
  launcher.exec = [](const ExecLaunch& r) -> absl::StatusOr<std::unique_ptr<Launch>> {
    CRISP_ASSIGN_OR_RETURN(const nlohmann::json process, Json(r.process_json));
    return FakeLaunch::Begin(process, process, r.streams, /*waits=*/false);
  };
  launcher.poststart = [](const ContainerFacts&, const std::string&) -> absl::StatusOr<pid_t> {
    return 0;
  };
  launcher.teardown = [](const ContainerFacts&, const std::string&) -> absl::StatusOr<pid_t> {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    return pid;
  };
  return launcher;
}

}  // namespace crisp::shim
