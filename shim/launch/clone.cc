#include "shim/launch/clone.h"

#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {

absl::StatusOr<Sibling> CloneSibling(uint64_t namespaces, int cgroup) {
  int pidfd = -1;
  clone_args args = {};
  // With CLONE_PARENT the exit signal is the caller's own: SIGCHLD, to the shim.
  args.flags = namespaces | CLONE_PARENT | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup);
  }
  CRISP_ASSIGN_OR_RETURN(const long pid, SysValue("clone3", [&args] {
                           return ::syscall(SYS_clone3, &args, sizeof(args));
                         }));
  return Sibling{static_cast<pid_t>(pid), pid == 0 ? UniqueFd() : UniqueFd(pidfd)};
}

}  // namespace crisp::shim
