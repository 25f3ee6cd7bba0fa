#include "cgroup/freezer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/settings.h"

namespace crisp::cgroup {
namespace {

constexpr absl::Duration kMaxWait = absl::Seconds(2);
constexpr absl::Duration kFirstPause = absl::Microseconds(50);
constexpr absl::Duration kLongestPause = absl::Milliseconds(10);

// v1's freezer where it is mounted, else the cgroup v2 tree's.
struct Freezer {
  std::string file;
  bool v1 = false;
};

absl::StatusOr<Freezer> Find(const Hierarchies& hosts, const std::string& path) {
  if (const std::string mount = hosts.MountPointOf("freezer"); !mount.empty()) {
    return Freezer{JoinPath(JoinPath(mount, path), "freezer.state"), true};
  }
  if (hosts.unified.empty()) return absl::FailedPreconditionError("this host has no freezer");
  return Freezer{JoinPath(JoinPath(hosts.unified, path), "cgroup.freeze"), false};
}

absl::StatusOr<bool> IsFrozen(const Freezer& freezer) {
  if (freezer.v1) {
    CRISP_ASSIGN_OR_RETURN(const std::string state, ReadFile(freezer.file, 64));
    return absl::StartsWith(state, "FROZEN");
  }
  const std::string events =
      absl::StrCat(absl::StripSuffix(freezer.file, "cgroup.freeze"), "cgroup.events");
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(events, 4096));
  return absl::StrContains(text, "frozen 1");
}

}  // namespace

absl::Status Freeze(const Hierarchies& hosts, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const Freezer freezer, Find(hosts, path));
  const absl::Time deadline = absl::Now() + kMaxWait;
  absl::Duration pause = kFirstPause;
  while (true) {
    // v1 wants to be asked again: a process that was forking may have got away.
    CRISP_RETURN_IF_ERROR(WriteSetting(freezer.file, freezer.v1 ? "FROZEN" : "1"));
    CRISP_ASSIGN_OR_RETURN(const bool frozen, IsFrozen(freezer));
    if (frozen) return absl::OkStatus();
    if (absl::Now() > deadline) break;
    absl::SleepFor(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  CRISP_RETURN_IF_ERROR(Thaw(hosts, path));
  return absl::DeadlineExceededError(absl::StrCat(path, " did not freeze"));
}

absl::Status Thaw(const Hierarchies& hosts, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const Freezer freezer, Find(hosts, path));
  return WriteSetting(freezer.file, freezer.v1 ? "THAWED" : "0");
}

absl::StatusOr<bool> Frozen(const Hierarchies& hosts, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const Freezer freezer, Find(hosts, path));
  return IsFrozen(freezer);
}

}  // namespace crisp::cgroup
