#include "cri/main/default_apparmor.h"

#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace crisp::cri {
namespace {

constexpr char kName[] = "crisp-default";
constexpr const char* kParsers[] = {"/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"};
constexpr absl::Duration kTimeout = absl::Seconds(30);

// Nothing is included, so that no file of the host's has a say. Of /proc only what belongs
// to processes, and kernel.shm*, can be written; of /sys only cgroups, where mounts let.
constexpr char kProfile[] = R"(
profile crisp-default flags=(attach_disconnected,mediate_deleted) {
  network,
  capability,
  file,
  umount,
  unix,

  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send,receive) peer=crisp-default,
  ptrace (trace,tracedby,read,readby) peer=crisp-default,

  deny mount,

  deny /proc/* w,
  deny /proc/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,
  deny /proc/sys/[^k]** w,
  deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny /proc/sysrq-trigger rwklx,
  deny /proc/kcore rwklx,

  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
)";

}  // namespace

absl::StatusOr<std::string> LoadDefaultApparmorProfile() {
  for (const char* parser : kParsers) {
    if (::access(parser, X_OK) != 0) continue;
    ProcessSpec spec;
    // --replace also adds; without a cache, which would be read back for another text.
    spec.argv = {parser, "--replace", "--skip-cache", "--quiet"};
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};
    spec.stdin_data = kProfile;
    spec.timeout = kTimeout;
    CRISP_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(spec));
    if (result.exit_code == 0) return kName;
    return absl::UnavailableError(absl::StrCat(parser, " exited with ", result.exit_code, ": ",
                                               absl::StripAsciiWhitespace(result.err)));
  }
  return absl::NotFoundError("apparmor_parser is not installed");
}

}  // namespace crisp::cri
