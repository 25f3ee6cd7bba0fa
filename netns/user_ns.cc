#include "netns/user_ns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::netns {
namespace {

std::string Lines(const std::vector<IdRange>& ranges) {
  std::string out;
  for (const IdRange& range : ranges) {
    absl::StrAppend(&out, range.inside, " ", range.outside, " ", range.count, "\n");
  }
  return out;
}

// In the copy of a process with threads: system calls and nothing else.
[[noreturn]] void Hold(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // Seen from the new user namespace the pid is the same: there is no new pid namespace.
  if (::getppid() != parent) ::syscall(SYS_exit_group, 0);
  ::syscall(SYS_close_range, 0U, ~0U, 0U);
  while (true) ::pause();
}

}  // namespace

absl::StatusOr<UserNs> UserNs::Create(const IdMaps& maps) {
  const pid_t self = ::getpid();
  // No signal at its end: whoever waits for children of ours does not hear of this one.
  CRISP_ASSIGN_OR_RETURN(const long child, SysValue("make user and network namespaces", [] {
                           return ::syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET, 0, 0, 0, 0);
                         }));
  if (child == 0) Hold(self);
  UserNs out(static_cast<pid_t>(child));
  const std::string proc = absl::StrCat("/proc/", child);
  CRISP_RETURN_IF_ERROR(WriteKernelFile(proc + "/uid_map", Lines(maps.uids)));
  CRISP_RETURN_IF_ERROR(WriteKernelFile(proc + "/gid_map", Lines(maps.gids)));
  return out;
}

UserNs::~UserNs() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, __WALL) == -1 && errno == EINTR) {
  }
}

std::string UserNs::user_path() const { return absl::StrCat("/proc/", pid_, "/ns/user"); }

std::string UserNs::net_path() const { return absl::StrCat("/proc/", pid_, "/ns/net"); }

absl::StatusOr<UniqueFd> UserNs::OpenUser() const {
  return SysFd("open user namespace",
               [this] { return ::open(user_path().c_str(), O_RDONLY | O_CLOEXEC); });
}

}  // namespace crisp::netns
