#include "shim/launch/id_maps.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/proc_file.h"

namespace crisp::shim {
namespace {

std::string Lines(const std::vector<IdMap>& maps) {
  std::string out;
  for (const IdMap& map : maps) {
    absl::StrAppend(&out, map.inside, " ", map.outside, " ", map.count, "\n");
  }
  return out;
}

}  // namespace

absl::Status WriteIdMaps(pid_t pid, const IdMaps& maps) {
  CRISP_RETURN_IF_ERROR(WriteHostProc(absl::StrCat(pid, "/uid_map"), Lines(maps.uids)));
  return WriteHostProc(absl::StrCat(pid, "/gid_map"), Lines(maps.gids));
}

absl::StatusOr<UniqueFd> UserNamespaceWith(const IdMaps& maps) {
  CRISP_ASSIGN_OR_RETURN(const long child, SysValue("clone user namespace", [] {
                           return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
                         }));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    while (true) ::pause();
  }
  const pid_t pid = static_cast<pid_t>(child);
  const absl::Cleanup reap = [pid] {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  };
  CRISP_RETURN_IF_ERROR(WriteIdMaps(pid, maps));
  return OpenHostProc(absl::StrCat(pid, "/ns/user"), O_RDONLY);
}

}  // namespace crisp::shim
