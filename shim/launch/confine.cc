#include "shim/launch/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/proc_file.h"

namespace crisp::shim {
namespace {

constexpr int kIoprioWhoProcess = 1;  // linux/ioprio.h

// As sched_setattr(2) takes it. The kernel's header of it clashes with glibc's sched.h.
struct SchedulerAttributes {
  uint32_t size = sizeof(SchedulerAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
};

absl::StatusOr<rlimit64> CurrentLimit(pid_t pid, int resource) {
  rlimit64 now = {};
  CRISP_RETURN_IF_ERROR(Sys("getrlimit", [&] {
    return ::prlimit64(pid, static_cast<__rlimit_resource>(resource), nullptr, &now);
  }));
  return now;
}

// Without CAP_SYS_RESOURCE a score cannot go below the lowest one that was set by
// somebody who had it: what the process has is then the nearest.
absl::Status SetOomScore(pid_t pid, int score) {
  const std::string path = absl::StrCat(pid, "/oom_score_adj");
  const absl::Status set = WriteHostProc(path, absl::StrCat(score));
  return ErrnoOf(set) == EACCES ? absl::OkStatus() : Annotate(set, "process.oomScoreAdj");
}

absl::Status SetAffinity(const char* field, absl::string_view list) {
  if (list.empty()) return absl::OkStatus();
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const absl::string_view part : absl::StrSplit(list, ',')) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    uint32_t first = 0, last = 0;
    const bool ok = absl::SimpleAtoi(ends.first, &first) &&
                    absl::SimpleAtoi(ends.second.empty() ? ends.first : ends.second, &last);
    if (!ok || first > last || last >= CPU_SETSIZE) {
      return absl::InvalidArgumentError(
          absl::StrCat("process.execCPUAffinity.", field, ": \"", part, "\" is no range of CPUs"));
    }
    for (uint32_t cpu = first; cpu <= last; ++cpu) CPU_SET(cpu, &cpus);
  }
  return Sys(absl::StrCat("process.execCPUAffinity.", field),
             [&cpus] { return ::sched_setaffinity(0, sizeof(cpus), &cpus); });
}

bool IsExecutable(const std::string& path) {
  struct stat st;
  return ::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

absl::string_view Variable(const std::vector<std::string>& environment, absl::string_view name) {
  // The last one counts, as for a program that reads them in order.
  absl::string_view value;
  for (const absl::string_view entry : environment) {
    if (absl::StartsWith(entry, name)) value = entry.substr(name.size());
  }
  return value;
}

// The home directory of /etc/passwd's first line with this uid; "/" without one.
std::string HomeOf(uint32_t uid) {
  const auto passwd = ReadFileAt(AT_FDCWD, "/etc/passwd", 1 << 20);
  if (!passwd.ok()) return "/";
  for (const absl::string_view line : absl::StrSplit(*passwd, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    uint32_t number = 0;
    if (fields.size() >= 6 && absl::SimpleAtoi(fields[2], &number) && number == uid) {
      return fields[5].empty() ? "/" : std::string(fields[5]);
    }
  }
  return "/";
}

}  // namespace

absl::Status RaiseLimits(pid_t pid, const Process& process) {
  for (const Rlimit& limit : process.rlimits) {
    CRISP_ASSIGN_OR_RETURN(const rlimit64 now, CurrentLimit(pid, limit.resource));
    if (limit.hard <= now.rlim_max) continue;
    const rlimit64 raised = {std::max<uint64_t>(now.rlim_cur, limit.soft), limit.hard};
    if (::prlimit64(pid, static_cast<__rlimit_resource>(limit.resource), &raised, nullptr) == -1 &&
        errno != EPERM) {
      return ErrnoStatus(errno, absl::StrCat("process.rlimits ", limit.resource));
    }
  }
  if (!process.oom_score_adj.has_value()) return absl::OkStatus();
  return SetOomScore(pid, *process.oom_score_adj);
}

absl::Status SetLimits(const Process& process) {
  for (const Rlimit& limit : process.rlimits) {
    CRISP_ASSIGN_OR_RETURN(const rlimit64 now, CurrentLimit(0, limit.resource));
    rlimit64 wanted = {limit.soft, std::min<uint64_t>(limit.hard, now.rlim_max)};
    wanted.rlim_cur = std::min(wanted.rlim_cur, wanted.rlim_max);
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("process.rlimits ", limit.resource), [&] {
      return ::prlimit64(0, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr);
    }));
  }
  return absl::OkStatus();
}

absl::Status SetScheduling(const Process& process) {
  CRISP_RETURN_IF_ERROR(SetAffinity("initial", process.initial_affinity));
  if (process.scheduler.has_value()) {
    const Scheduler& wanted = *process.scheduler;
    SchedulerAttributes attr;
    attr.policy = wanted.policy;
    attr.flags = wanted.flags;
    attr.nice = wanted.nice;
    attr.priority = wanted.priority;
    attr.runtime = wanted.runtime;
    attr.deadline = wanted.deadline;
    attr.period = wanted.period;
    CRISP_RETURN_IF_ERROR(
        Sys("process.scheduler", [&attr] { return ::syscall(SYS_sched_setattr, 0, &attr, 0); }));
  }
  if (!process.io_priority.has_value()) return absl::OkStatus();
  return Sys("process.ioPriority", [&process] {
    return ::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, *process.io_priority);
  });
}

absl::Status SetFinalAffinity(const Process& process) {
  return SetAffinity("final", process.final_affinity);
}

absl::Status BecomeUser(const User& user) {
  // Raw calls: glibc's would tell threads that we do not have.
  CRISP_RETURN_IF_ERROR(Sys("setgroups", [&user] {
    return ::syscall(SYS_setgroups, user.additional_gids.size(), user.additional_gids.data());
  }));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("setgid ", user.gid), [&user] {
    return ::syscall(SYS_setresgid, user.gid, user.gid, user.gid);
  }));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("setuid ", user.uid), [&user] {
    return ::syscall(SYS_setresuid, user.uid, user.uid, user.uid);
  }));
  ::umask(user.umask.value_or(0022));
  return absl::OkStatus();
}

absl::Status EnterWorkingDirectory(const std::string& cwd) {
  return Sys(absl::StrCat("chdir ", cwd), [&cwd] { return ::chdir(cwd.c_str()); });
}

absl::Status CheckWorkingDirectory() {
  char path[PATH_MAX];
  // glibc's getcwd would search for a name where the kernel says "(unreachable)".
  CRISP_RETURN_IF_ERROR(
      Sys("getcwd", [&path] { return ::syscall(SYS_getcwd, path, sizeof(path)); }));
  if (path[0] == '/') return absl::OkStatus();
  return absl::PermissionDeniedError("process.cwd is outside of the container");
}

absl::Status GiveStreams(const User& user) {
  for (int fd = 0; fd < 3; ++fd) {
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("stat stream", [&] { return ::fstat(fd, &st); }));
    const bool own = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || ::isatty(fd) == 1;
    if (!own || st.st_uid == user.uid) continue;
    if (::fchown(fd, user.uid, st.st_gid) == -1 && errno != EPERM && errno != EROFS &&
        errno != EINVAL) {
      return ErrnoStatus(errno, "give the stream to the user");
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> CompleteEnvironment(const Process& process) {
  std::vector<std::string> out = process.env;
  if (Variable(out, "HOME=").empty()) {
    out.erase(std::remove(out.begin(), out.end(), "HOME="), out.end());
    out.push_back(absl::StrCat("HOME=", HomeOf(process.user.uid)));
  }
  return out;
}

absl::StatusOr<std::string> FindProgram(const Process& process) {
  const std::string& name = process.args[0];
  if (absl::StrContains(name, "/")) {
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("\"", name, "\""), [&name] {
      struct stat st;
      return ::stat(name.c_str(), &st);
    }));
    if (IsExecutable(name)) return name;
    return ErrnoStatus(EACCES, absl::StrCat("\"", name, "\""));
  }
  for (const absl::string_view directory :
       absl::StrSplit(Variable(process.env, "PATH="), ':', absl::SkipEmpty())) {
    std::string path = absl::StrCat(directory, "/", name);
    if (IsExecutable(path)) return path;
  }
  return ErrnoStatus(ENOENT, absl::StrCat("\"", name, "\": executable file not found in $PATH"));
}

absl::Status MakeKeyring(const std::string& id) {
  const std::string name = absl::StrCat("_ses.", id);
  const long key = ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str());
  if (key != -1) return absl::OkStatus();
  if (errno == ENOSYS) return absl::OkStatus();  // A kernel without keys has none to share.
  return ErrnoStatus(errno, "join session keyring");
}

}  // namespace crisp::shim
