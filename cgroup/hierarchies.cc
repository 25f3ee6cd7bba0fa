#include "cgroup/hierarchies.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace crisp::cgroup {
namespace {

// What a v1 mount's options may name besides flags such as "rw" and "xattr".
constexpr absl::string_view kControllers[] = {
    "blkio",  "cpu",  "cpuacct", "cpuset",   "devices",    "freezer", "hugetlb",
    "memory", "misc", "net_cls", "net_prio", "perf_event", "pids",    "rdma",
};

// Limits nothing: a name, or what a VPN or a profiler mounts for itself on a host of v2.
bool IsBeside(absl::string_view controller) {
  return absl::StartsWith(controller, "name=") || controller == "net_cls" ||
         controller == "net_prio" || controller == "perf_event";
}

std::vector<std::string> ControllersOf(const MountInfo& mount) {
  std::vector<std::string> controllers;
  for (absl::string_view option : absl::StrSplit(mount.super_options, ',')) {
    if (absl::StartsWith(option, "name=") ||
        std::find(std::begin(kControllers), std::end(kControllers), option) !=
            std::end(kControllers)) {
      controllers.emplace_back(option);
    }
  }
  return controllers;
}

}  // namespace

absl::StatusOr<Hierarchies> Hierarchies::Probe() {
  CRISP_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  return FromMounts(mounts);
}

absl::StatusOr<Hierarchies> Hierarchies::FromMounts(const std::vector<MountInfo>& mounts) {
  Hierarchies found;
  for (const MountInfo& mount : mounts) {
    // A mount of a part of a hierarchy is some container's view, not the host's. Of
    // several whole ones the first counts.
    if (mount.root != "/") continue;
    if (mount.fs_type == "cgroup2" && found.unified.empty()) found.unified = mount.mount_point;
    if (mount.fs_type != "cgroup") continue;
    std::vector<std::string> controllers = ControllersOf(mount);
    if (controllers.empty() || !found.MountPointOf(controllers.front()).empty()) continue;
    found.v1.push_back({std::move(controllers), mount.mount_point});
  }
  if (found.v1.empty() && found.unified.empty()) {
    return absl::FailedPreconditionError("no cgroup hierarchy is mounted on this host");
  }
  return found;
}

bool Hierarchies::v2() const {
  return !unified.empty() && std::all_of(v1.begin(), v1.end(), [](const V1Hierarchy& hierarchy) {
    return std::all_of(hierarchy.controllers.begin(), hierarchy.controllers.end(), IsBeside);
  });
}

std::string Hierarchies::MountPointOf(absl::string_view controller) const {
  for (const V1Hierarchy& hierarchy : v1) {
    for (const std::string& name : hierarchy.controllers) {
      if (name == controller) return hierarchy.mount_point;
    }
  }
  return "";
}

std::vector<std::string> Hierarchies::MountPoints() const {
  std::vector<std::string> mount_points;
  for (const V1Hierarchy& hierarchy : v1) mount_points.push_back(hierarchy.mount_point);
  if (!unified.empty()) mount_points.push_back(unified);
  return mount_points;
}

}  // namespace crisp::cgroup
