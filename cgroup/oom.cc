#include "cgroup/oom.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/keyed_file.h"
#include "cgroup/settings.h"
#include "cgroup/tree.h"

namespace crisp::cgroup {

absl::StatusOr<uint64_t> CountOomKills(const Hierarchies& hosts, const std::string& path) {
  if (const std::string mount = hosts.MountPointOf("memory"); !mount.empty()) {
    // Here each cgroup counts its own.
    uint64_t kills = 0;
    const std::string directory = JoinPath(mount, path);
    CRISP_RETURN_IF_ERROR(Walk(directory, [&](const std::string& cgroup) {
      kills += KeyedFile(JoinPath(cgroup, "memory.oom_control")).Value("oom_kill");
      return absl::OkStatus();
    }));
    return kills;
  }
  if (hosts.unified.empty()) return 0;
  return KeyedFile(JoinPath(JoinPath(hosts.unified, path), "memory.events")).Value("oom_kill");
}

absl::StatusOr<UniqueFd> WatchOomKills(const Hierarchies& hosts, const std::string& path) {
  if (const std::string mount = hosts.MountPointOf("memory"); !mount.empty()) {
    const std::string directory = JoinPath(mount, path);
    const std::string control = JoinPath(directory, "memory.oom_control");
    CRISP_ASSIGN_OR_RETURN(
        UniqueFd events, SysFd("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
    CRISP_ASSIGN_OR_RETURN(const UniqueFd watched, SysFd(absl::StrCat("open ", control), [&] {
                             return ::open(control.c_str(), O_RDONLY | O_CLOEXEC);
                           }));
    // The kernel keeps what the registration needs; `watched` may go.
    CRISP_RETURN_IF_ERROR(WriteSetting(JoinPath(directory, "cgroup.event_control"),
                                       absl::StrCat(events.get(), " ", watched.get())));
    return events;
  }
  if (hosts.unified.empty()) {
    return absl::FailedPreconditionError("this host has no memory controller");
  }
  const std::string file = JoinPath(JoinPath(hosts.unified, path), "memory.events");
  CRISP_ASSIGN_OR_RETURN(UniqueFd events, SysFd("inotify_init", [] {
                           return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
                         }));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("watch ", file), [&] {
    return ::inotify_add_watch(events.get(), file.c_str(), IN_MODIFY);
  }));
  return events;
}

}  // namespace crisp::cgroup
