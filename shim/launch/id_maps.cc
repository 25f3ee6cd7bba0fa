#include "shim/launch/id_maps.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/proc_file.h"

namespace crisp::shim {
namespace {

constexpr size_t kMaxMapBytes = 64 << 10;

std::string Lines(const std::vector<IdMap>& maps) {
  std::string out;
  for (const IdMap& map : maps) {
    absl::StrAppend(&out, map.inside, " ", map.outside, " ", map.count, "\n");
  }
  return out;
}

absl::StatusOr<std::vector<IdMap>> ReadMap(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, OpenHostProc(path, O_RDONLY));
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadAll(fd.get(), kMaxMapBytes));
  std::vector<IdMap> out;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> numbers = absl::StrSplit(line, ' ', absl::SkipEmpty());
    IdMap map;
    if (numbers.size() != 3 || !absl::SimpleAtoi(numbers[0], &map.inside) ||
        !absl::SimpleAtoi(numbers[1], &map.outside) || !absl::SimpleAtoi(numbers[2], &map.count)) {
      return absl::DataLossError(absl::StrCat("/proc/", path, ": \"", line, "\" is no map"));
    }
    out.push_back(map);
  }
  return out;
}

// -1, which fchown takes for "as it is", if it is not mapped.
uint32_t Outside(const std::vector<IdMap>& maps, uint32_t inside) {
  for (const IdMap& map : maps) {
    if (inside >= map.inside && inside - map.inside < map.count) {
      return map.outside + (inside - map.inside);
    }
  }
  return static_cast<uint32_t>(-1);
}

}  // namespace

absl::StatusOr<IdMaps> ReadIdMaps(pid_t pid) {
  IdMaps maps;
  CRISP_ASSIGN_OR_RETURN(maps.uids, ReadMap(absl::StrCat(pid, "/uid_map")));
  CRISP_ASSIGN_OR_RETURN(maps.gids, ReadMap(absl::StrCat(pid, "/gid_map")));
  return maps;
}

absl::Status GiveStreams(const std::array<int, 3>& streams, const User& user, const IdMaps& maps) {
  const uint32_t uid = Outside(maps.uids, user.uid), gid = Outside(maps.gids, user.gid);
  for (const int fd : streams) {
    if (fd < 0) continue;
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("stat stream", [&] { return ::fstat(fd, &st); }));
    if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)) continue;
    CRISP_RETURN_IF_ERROR(
        Sys("give the stream to the user", [&] { return ::fchown(fd, uid, gid); }));
  }
  return absl::OkStatus();
}

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
