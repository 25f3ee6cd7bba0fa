#include "shim/client/shim_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unix_socket.h"

namespace crisp::shim {
namespace {

constexpr char kProgram[] = "containerd-shim-crisp-v1";
constexpr char kProcessFile[] = "process";
constexpr int kSocketFd = 3;
constexpr int kBacklog = 16;

absl::StatusOr<UniqueFd> Listen(int directory, const std::string& path) {
  if (::unlinkat(directory, "socket", 0) == -1 && errno != ENOENT) {
    return ErrnoStatus(errno, "remove an old socket");
  }
  // By its path where that fits, for people who look at sockets.
  const std::string direct = JoinPath(path, "socket");
  return ListenUnix(direct.size() <= kUnixPathBytes
                        ? direct
                        : absl::StrCat("/proc/self/fd/", directory, "/socket"),
                    kBacklog);
}

absl::Status FromPosix(int error, absl::string_view what) {
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, what);
}

absl::StatusOr<pid_t> Start(const std::string& program, const std::vector<std::string>& args,
                            int socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  auto drop_actions = absl::MakeCleanup([&] { ::posix_spawn_file_actions_destroy(&actions); });
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  auto drop_attributes = absl::MakeCleanup([&] { ::posix_spawnattr_destroy(&attributes); });
  // The socket first: its number may be one of those that follow.
  CRISP_RETURN_IF_ERROR(
      FromPosix(::posix_spawn_file_actions_adddup2(&actions, socket, kSocketFd), "spawn"));
  for (int fd = 0; fd < kSocketFd; ++fd) {
    CRISP_RETURN_IF_ERROR(FromPosix(
        ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0), "spawn"));
  }
  CRISP_RETURN_IF_ERROR(
      FromPosix(::posix_spawn_file_actions_addclosefrom_np(&actions, kSocketFd + 1), "spawn"));
  CRISP_RETURN_IF_ERROR(FromPosix(::posix_spawn_file_actions_addchdir_np(&actions, "/"), "spawn"));
  // crispd blocks and ignores signals that a shim wants.
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  // What crispd has in its environment (proxies, tokens) is not for a shim.
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string failpoints = absl::StrCat("CRISP_FAILPOINTS=", FailpointBoard());
  char* const environment[] = {path, FailpointsEnabled() ? failpoints.data() : nullptr, nullptr};
  pid_t pid = -1;
  CRISP_RETURN_IF_ERROR(FromPosix(
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environment),
      "start the shim"));
  return pid;
}

// Clock ticks since boot; what makes a pid unique.
absl::StatusOr<std::string> StartTime(pid_t pid) {
  CRISP_ASSIGN_OR_RETURN(const std::string stat,
                         ReadFile(absl::StrCat("/proc/", pid, "/stat"), 4096));
  // The command may hold spaces and parentheses: fields count from behind it.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return absl::InternalError("/proc/PID/stat without a command");
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 2), ' ');
  constexpr size_t kStartTime = 19;  // Field 22; the state is field 3.
  if (fields.size() <= kStartTime) return absl::InternalError("/proc/PID/stat is cut short");
  return fields[kStartTime];
}

}  // namespace

absl::StatusOr<ShimProcess> ShimProcess::Spawn(const ShimBinary& binary,
                                               const std::string& directory,
                                               const std::string& id) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, OpenDir(directory));
  CRISP_ASSIGN_OR_RETURN(UniqueFd listener, Listen(dir.get(), directory));
  CRISP_ASSIGN_OR_RETURN(const pid_t pid, Start(binary.exec_path(),
                                                {kProgram, "-id", id, "-state", directory,
                                                 "-socket-fd", absl::StrCat(kSocketFd), "serve"},
                                                listener.get()));
  // It is our child and not reaped: the pid is its own.
  CRISP_ASSIGN_OR_RETURN(UniqueFd pidfd,
                         SysFd("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); }));
  ShimProcess process(pid, std::move(pidfd));
  const absl::StatusOr<std::string> start = StartTime(pid);
  absl::Status noted = start.status();
  if (noted.ok()) {
    noted = WriteFileAtomicAt(dir.get(), kProcessFile, absl::StrCat(pid, " ", *start, "\n"), 0600);
  }
  if (!noted.ok()) {
    process.Kill();
    (void)process.AwaitEnd(absl::Seconds(5));
    return Annotate(noted, "note the shim's process");
  }
  return process;
}

absl::StatusOr<ShimProcess> ShimProcess::Find(const std::string& directory) {
  const auto text = ReadFile(JoinPath(directory, kProcessFile), 256);
  if (!text.ok()) return absl::NotFoundError("no process is noted");
  const std::vector<std::string> words = absl::StrSplit(absl::StripSuffix(*text, "\n"), ' ');
  pid_t pid;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &pid) || pid <= 1) {
    return absl::NotFoundError("the note of the process is damaged");
  }
  auto pidfd = SysFd("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); });
  if (!pidfd.ok()) return absl::NotFoundError("the process is gone");
  // Read with the descriptor open: if this is the process now, the descriptor is too.
  const auto start = StartTime(pid);
  if (!start.ok() || *start != words[1]) return absl::NotFoundError("the process is gone");
  return ShimProcess(pid, *std::move(pidfd));
}

void ShimProcess::Kill() const {
  (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

bool ShimProcess::AwaitEnd(absl::Duration timeout) const {
  const absl::Duration deadline = Clock::Real()->Steady() + timeout;
  while (true) {
    const absl::Duration left = std::max(deadline - Clock::Real()->Steady(), absl::ZeroDuration());
    pollfd wanted = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const int n = ::poll(&wanted, 1, static_cast<int>(absl::ToInt64Milliseconds(left) + 1));
    if (n > 0) {
      Reap();
      return true;
    }
    if (n == 0 || errno != EINTR) return false;
  }
}

void ShimProcess::Reap() const {
  siginfo_t info;
  (void)::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
}

}  // namespace crisp::shim
