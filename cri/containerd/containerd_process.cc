#include "cri/containerd/containerd_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/boot_id.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unix_socket.h"

namespace crisp::cri {
namespace {

constexpr size_t kSmallFile = 64 << 10;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

absl::StatusOr<uint64_t> StartTime(pid_t pid) {
  CRISP_ASSIGN_OR_RETURN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat")));
  // The second field, the name in parentheses, may itself hold spaces and
  // parentheses; what follows its last one does not. State is field 3.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return absl::InternalError("malformed /proc/<pid>/stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 1), ' ', absl::SkipEmpty());
  uint64_t start = 0;
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[22 - 3], &start)) {
    return absl::InternalError("malformed /proc/<pid>/stat");
  }
  return start;
}

}  // namespace

absl::StatusOr<ContainerdProcess> ContainerdProcess::Open(pid_t pid) {
  absl::StatusOr<UniqueFd> pidfd =
      SysFd(absl::StrCat("pidfd_open ", pid), [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
  if (ErrnoOf(pidfd.status()) == ESRCH) {
    return absl::NotFoundError(absl::StrCat("no process ", pid));
  }
  CRISP_RETURN_IF_ERROR(pidfd.status());
  ContainerdProcess process;
  process.pid_ = pid;
  process.pidfd_ = std::make_shared<UniqueFd>(*std::move(pidfd));
  CRISP_ASSIGN_OR_RETURN(process.start_time_, StartTime(pid));
  return process;
}

absl::StatusOr<ContainerdProcess> ContainerdProcess::OpenRunning(pid_t pid) {
  CRISP_ASSIGN_OR_RETURN(ContainerdProcess process, Open(pid));
  // Alive now, so the start time read before was this process's.
  if (!process.Alive()) return absl::NotFoundError(absl::StrCat("process ", pid, " has exited"));
  return process;
}

absl::StatusOr<ContainerdProcess> ContainerdProcess::Spawn(
    const std::vector<std::string>& argv, const std::vector<std::string>& environment, int log_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  auto destroy = absl::MakeCleanup([&] {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  });
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, log_fd, 1);
  ::posix_spawn_file_actions_adddup2(&actions, log_fd, 2);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  ::posix_spawn_file_actions_addchdir_np(&actions, "/");
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0].c_str(), &actions, &attributes,
                                  Pointers(argv).data(), Pointers(environment).data());
  if (error != 0) return ErrnoStatus(error, absl::StrCat("start ", argv[0]));
  absl::StatusOr<ContainerdProcess> process = Open(pid);
  if (!process.ok()) {
    (void)::kill(pid, SIGKILL);
    (void)Sys("waitpid", [pid] { return ::waitpid(pid, nullptr, 0); });
  }
  return process;
}

absl::StatusOr<ContainerdProcess> ContainerdProcess::Load(const std::string& pid_file) {
  const absl::StatusOr<std::string> text = ReadFile(pid_file, kSmallFile);
  if (ErrnoOf(text.status()) == ENOENT) return absl::NotFoundError("no pid file");
  CRISP_RETURN_IF_ERROR(text.status());
  CRISP_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  const std::vector<std::string> fields =
      absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  pid_t pid = 0;
  uint64_t start_time = 0;
  if (fields.size() != 3 || !absl::SimpleAtoi(fields[0], &pid) || pid <= 0 ||
      !absl::SimpleAtoi(fields[1], &start_time)) {
    return absl::NotFoundError(absl::StrCat(pid_file, " is malformed"));
  }
  if (fields[2] != boot_id) return absl::NotFoundError("recorded before the last boot");
  CRISP_ASSIGN_OR_RETURN(ContainerdProcess process, OpenRunning(pid));
  if (process.start_time_ != start_time) {
    return absl::NotFoundError(absl::StrCat("pid ", pid, " is another process by now"));
  }
  return process;
}

absl::StatusOr<pid_t> ContainerdProcess::ListenerPid(const std::string& socket) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, ConnectUnix(socket, SOCK_NONBLOCK));
  return PeerPid(fd.get());
}

absl::StatusOr<ContainerdProcess> ContainerdProcess::Listening(const std::string& socket,
                                                               const std::string& config_file) {
  const absl::StatusOr<pid_t> pid = ListenerPid(socket);
  if (!pid.ok() || *pid <= 0) {
    return absl::NotFoundError(absl::StrCat("nobody listens on ", socket));
  }
  CRISP_ASSIGN_OR_RETURN(ContainerdProcess process, OpenRunning(*pid));
  CRISP_ASSIGN_OR_RETURN(const std::string arguments,
                         ReadFile(absl::StrCat("/proc/", *pid, "/cmdline"), kSmallFile));
  const std::vector<std::string> argv = absl::StrSplit(arguments, '\0');
  if (std::find(argv.begin(), argv.end(), config_file) == argv.end()) {
    return absl::NotFoundError(absl::StrCat("process ", *pid, ", which listens on ", socket,
                                            ", is not a containerd of ours"));
  }
  return process;
}

absl::Status ContainerdProcess::Save(const std::string& pid_file) const {
  CRISP_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  return WriteFileAtomic(pid_file, absl::StrCat(pid_, " ", start_time_, " ", boot_id, "\n"), 0600);
}

bool ContainerdProcess::WaitExit(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    pollfd poll_fd = {pidfd(), POLLIN, 0};
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    const int ready = ::poll(
        &poll_fd, 1, static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left), 1 << 30)));
    if (ready >= 0) return ready == 1;
  }
}

absl::Status ContainerdProcess::Signal(int signal) const {
  const absl::Status sent = Sys(absl::StrCat("signal ", signal, " to containerd"), [&] {
    return ::syscall(SYS_pidfd_send_signal, pidfd(), signal, nullptr, 0);
  });
  return ErrnoOf(sent) == ESRCH ? absl::OkStatus() : sent;
}

std::string ContainerdProcess::Reap() const {
  siginfo_t info = {};
  const absl::Status collected = Sys("waitid", [&] {
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd()), &info, WEXITED | WNOHANG);
  });
  // One that an earlier crispd started is not our child: init collects it.
  if (!collected.ok() || info.si_pid == 0) return "exit status unknown";
  return absl::StrCat(info.si_code == CLD_EXITED ? "exit status " : "signal ", info.si_status);
}

}  // namespace crisp::cri
