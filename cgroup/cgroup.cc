#include "cgroup/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/device_policy.h"
#include "cgroup/device_program.h"
#include "cgroup/freezer.h"
#include "cgroup/oom.h"
#include "cgroup/settings.h"
#include "cgroup/stats_reader.h"
#include "cgroup/tree.h"

namespace crisp::cgroup {
namespace {

// A killed process leaves its cgroup some time after the signal.
constexpr absl::Duration kMaxRemoveWait = absl::Milliseconds(500);
constexpr absl::Duration kFirstPause = absl::Microseconds(200);
constexpr absl::Duration kLongestPause = absl::Milliseconds(20);
// Where nothing freezes: rounds of SIGKILL against what forks.
constexpr int kMaxKillRounds = 10;

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The hierarchy to ask for the processes besides the v2 tree: all v1 ones agree.
std::string V1Home(const Hierarchies& hosts, const std::string& path) {
  for (const char* controller : {"freezer", "pids", "memory", "devices"}) {
    const std::string mount_point = hosts.MountPointOf(controller);
    if (!mount_point.empty()) return JoinPath(mount_point, path);
  }
  return hosts.v1.empty() ? "" : JoinPath(hosts.v1.front().mount_point, path);
}

absl::StatusOr<std::vector<Setting>> Settings(const Hierarchies& hosts, const std::string& path,
                                              const Resources& resources) {
  return hosts.v2() ? SettingsV2(JoinPath(hosts.unified, path), resources)
                    : SettingsV1(hosts, path, resources);
}

absl::Status WriteDevices(const std::string& directory, const std::vector<DeviceWrite>& writes) {
  for (const DeviceWrite& write : writes) {
    CRISP_RETURN_IF_ERROR(WriteSetting(
        JoinPath(directory, write.allow ? "devices.allow" : "devices.deny"), write.line));
  }
  return absl::OkStatus();
}

absl::Status ApplyDevicesV1(const std::string& directory, const DevicePolicy& target) {
  const auto read = [&]() -> absl::StatusOr<DevicePolicy> {
    CRISP_ASSIGN_OR_RETURN(const std::string text,
                           ReadFile(JoinPath(directory, "devices.list"), 1 << 20));
    return ParseDevicesList(text);
  };
  CRISP_ASSIGN_OR_RETURN(const DevicePolicy before, read());
  const absl::Status status = WriteDevices(directory, WritesBetween(before, target));
  if (status.ok()) return status;
  if (const auto now = read(); now.ok()) (void)WriteDevices(directory, WritesBetween(*now, before));
  return Annotate(status, "devices");
}

// The last step of an update, so that nothing after it can fail.
absl::Status ApplyDevices(const Hierarchies& hosts, const std::string& path,
                          const DevicePolicy& target) {
  if (const std::string mount = hosts.MountPointOf("devices"); !mount.empty()) {
    return ApplyDevicesV1(JoinPath(mount, path), target);
  }
  if (hosts.unified.empty()) {
    return absl::FailedPreconditionError("devices: this host has no cgroup controller \"devices\"");
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory, OpenDir(JoinPath(hosts.unified, path)));
  return Annotate(AttachDevicePolicy(directory.get(), target), "devices");
}

absl::Status Apply(const Hierarchies& hosts, const std::string& path, const Resources& resources) {
  CRISP_ASSIGN_OR_RETURN(const DevicePolicy devices, PolicyOf(resources.devices));
  CRISP_ASSIGN_OR_RETURN(const std::vector<Setting> settings, Settings(hosts, path, resources));
  AppliedSettings applied;
  CRISP_RETURN_IF_ERROR(applied.Apply(settings));
  if (!resources.devices.empty()) CRISP_RETURN_IF_ERROR(ApplyDevices(hosts, path, devices));
  applied.Commit();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Cgroup> Cgroup::Create(const Hierarchies& hosts, const std::string& path,
                                      const Resources& resources) {
  CRISP_RETURN_IF_ERROR(CheckPath(path));
  Cgroup cgroup(hosts, path);
  std::vector<std::string> made;
  auto undo = absl::MakeCleanup([&] {
    // Parents first in the list; one that somebody else uses by now stays.
    for (auto it = made.rbegin(); it != made.rend(); ++it) (void)::rmdir(it->c_str());
  });
  const std::string cpuset = hosts.MountPointOf("cpuset");
  for (const V1Hierarchy& hierarchy : hosts.v1) {
    const std::string& mount = hierarchy.mount_point;
    CRISP_RETURN_IF_ERROR(MakeCgroup(mount, path, mount == cpuset, &made));
  }
  if (!hosts.unified.empty()) {
    CRISP_RETURN_IF_ERROR(MakeCgroup(hosts.unified, path, /*cpuset=*/false, &made));
    if (hosts.v2()) EnableControllers(hosts.unified, path);
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, cgroup.Pids());
  if (!pids.empty()) {
    return absl::AlreadyExistsError(
        absl::StrCat("cgroup ", path, " has processes, such as ", pids.front()));
  }
  CRISP_RETURN_IF_ERROR(Annotate(Apply(hosts, path, resources), "cgroup ", path));
  std::move(undo).Cancel();
  return cgroup;
}

absl::StatusOr<Cgroup> Cgroup::Open(const Hierarchies& hosts, const std::string& path) {
  CRISP_RETURN_IF_ERROR(CheckPath(path));
  for (const std::string& mount_point : hosts.MountPoints()) {
    if (Exists(JoinPath(mount_point, path))) return Cgroup(hosts, path);
  }
  return absl::NotFoundError(absl::StrCat("no cgroup ", path));
}

absl::StatusOr<UniqueFd> Cgroup::OpenUnified() const {
  if (hosts_.unified.empty()) {
    return absl::FailedPreconditionError("this host has no cgroup v2 tree");
  }
  return OpenDir(JoinPath(hosts_.unified, path_));
}

absl::StatusOr<Cgroup> Cgroup::HomeOf(pid_t pid) const {
  const auto text = ReadFile(absl::StrCat("/proc/", pid, "/cgroup"), 1 << 16);
  if (text.ok()) {
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      if (!absl::ConsumePrefix(&line, "0::")) continue;
      if (line == path_ || absl::StartsWith(line, absl::StrCat(path_, "/"))) {
        return Cgroup(hosts_, std::string(line));
      }
    }
  }
  return absl::NotFoundError(absl::StrCat("process ", pid, " is not in cgroup ", path_));
}

absl::Status Cgroup::JoinSelf(bool unified_joined) const {
  for (const V1Hierarchy& hierarchy : hosts_.v1) {
    // A thread that moves itself, alone in its process, needs no lock that all forks
    // of the host take part in; "cgroup.procs" always does.
    CRISP_RETURN_IF_ERROR(
        WriteSetting(JoinPath(JoinPath(hierarchy.mount_point, path_), "tasks"), "0"));
  }
  if (hosts_.unified.empty() || unified_joined) return absl::OkStatus();
  return WriteSetting(JoinPath(JoinPath(hosts_.unified, path_), "cgroup.procs"), "0");
}

absl::Status Cgroup::Update(const Resources& resources) const {
  return Annotate(Apply(hosts_, path_, resources), "cgroup ", path_);
}

absl::Status Cgroup::Freeze() const { return cgroup::Freeze(hosts_, path_); }
absl::Status Cgroup::Thaw() const { return cgroup::Thaw(hosts_, path_); }
absl::StatusOr<bool> Cgroup::Frozen() const { return cgroup::Frozen(hosts_, path_); }

absl::Status Cgroup::Kill(int signal) const {
  if (signal == SIGKILL && !hosts_.unified.empty()) {
    // One step for the whole tree, forks included.
    const std::string directory = JoinPath(hosts_.unified, path_);
    const absl::Status status = WriteSetting(JoinPath(directory, "cgroup.kill"), "1");
    const int err = ErrnoOf(status);
    if (!status.ok() && err != ENOENT && err != ENODEV) return status;
    if (hosts_.v2()) return absl::OkStatus();
    // v1's freezer holds even the dead.
    if (!hosts_.MountPointOf("freezer").empty()) (void)Thaw();
    // A process that was put into the v1 hierarchies alone is left.
    CRISP_ASSIGN_OR_RETURN(const std::vector<pid_t> all, PidsBelow(V1Home(hosts_, path_)));
    CRISP_ASSIGN_OR_RETURN(std::vector<pid_t> dying, PidsBelow(directory));
    std::sort(dying.begin(), dying.end());
    const bool reached = std::all_of(all.begin(), all.end(), [&](pid_t pid) {
      return std::binary_search(dying.begin(), dying.end(), pid);
    });
    if (reached) return absl::OkStatus();
  }
  return SignalFrozen(signal);
}

absl::Status Cgroup::SignalFrozen(int signal) const {
  for (int round = 0; round < kMaxKillRounds; ++round) {
    const bool was_frozen = Frozen().value_or(false);
    // Frozen, no process forks away and no pid goes to a stranger.
    const bool freeze = !was_frozen && Freeze().ok();
    const auto pids = Pids();
    if (pids.ok()) {
      for (const pid_t pid : *pids) (void)::kill(pid, signal);
    }
    // Its user's freeze stays, but the killed have to get away.
    if (freeze || (was_frozen && signal == SIGKILL)) (void)Thaw();
    CRISP_RETURN_IF_ERROR(pids.status());
    if (pids->empty() || freeze || was_frozen || signal != SIGKILL) return absl::OkStatus();
    // A cgroup that does not freeze: once more, for what forked meanwhile.
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<pid_t>> Cgroup::Pids() const {
  std::vector<pid_t> pids;
  std::vector<std::string> directories;
  if (!hosts_.unified.empty()) directories.push_back(JoinPath(hosts_.unified, path_));
  if (std::string home = V1Home(hosts_, path_); !home.empty()) directories.push_back(home);
  for (const std::string& directory : directories) {
    CRISP_ASSIGN_OR_RETURN(const std::vector<pid_t> some, PidsBelow(directory));
    pids.insert(pids.end(), some.begin(), some.end());
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

absl::StatusOr<Stats> Cgroup::ReadStats() const {
  const std::string home = hosts_.v2() ? JoinPath(hosts_.unified, path_) : V1Home(hosts_, path_);
  if (!Exists(home)) return absl::NotFoundError(absl::StrCat("no cgroup ", path_));
  return hosts_.v2() ? ReadStatsV2(home) : ReadStatsV1(hosts_, path_);
}

absl::StatusOr<uint64_t> Cgroup::OomKills() const { return CountOomKills(hosts_, path_); }
absl::StatusOr<UniqueFd> Cgroup::WatchOom() const { return WatchOomKills(hosts_, path_); }

absl::Status Cgroup::Remove() const {
  const absl::Time deadline = absl::Now() + kMaxRemoveWait;
  absl::Duration pause = kFirstPause;
  while (true) {
    absl::Status first;
    for (const std::string& mount_point : hosts_.MountPoints()) {
      const absl::Status status = RemoveBelow(JoinPath(mount_point, path_));
      if (first.ok()) first = status;
    }
    if (first.ok() || ErrnoOf(first) != EBUSY || absl::Now() > deadline) return first;
    absl::SleepFor(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

void RemoveEmpty(const Hierarchies& hosts, const std::string& path) {
  if (!CheckPath(path).ok()) return;
  for (const std::string& mount_point : hosts.MountPoints()) {
    // rmdir refuses one that has processes.
    (void)RemoveBelow(JoinPath(mount_point, path));
  }
}

std::set<std::string> ChildrenOf(const Hierarchies& hosts, const std::string& path) {
  std::set<std::string> names;
  for (const std::string& mount_point : hosts.MountPoints()) {
    for (std::string& name : Children(JoinPath(mount_point, path))) names.insert(std::move(name));
  }
  return names;
}

}  // namespace crisp::cgroup
