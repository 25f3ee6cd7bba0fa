// Where the host's cgroup hierarchies are mounted, as /proc/self/mountinfo tells.
//
// Ownership: an immutable value. Threads: free to share.
// Errors:    FailedPrecondition if the host has no hierarchy at all.
#ifndef CRISP_CGROUP_HIERARCHIES_H_
#define CRISP_CGROUP_HIERARCHIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mountinfo.h"

namespace crisp::cgroup {

struct V1Hierarchy {
  std::vector<std::string> controllers;  // "memory", "cpu", "cpuacct"...; "name=systemd".
  std::string mount_point;
};

struct Hierarchies {
  static absl::StatusOr<Hierarchies> Probe();
  static absl::StatusOr<Hierarchies> FromMounts(const std::vector<MountInfo>& mounts);

  std::vector<V1Hierarchy> v1;
  std::string unified;  // Mount point of the cgroup v2 tree; empty: none.

  // Controllers are v2's: there is a unified tree and no v1 controller that limits anything.
  bool v2() const;
  // The v1 mount point with `controller`, or "".
  std::string MountPointOf(absl::string_view controller) const;
  // Every mount point, v1 first.
  std::vector<std::string> MountPoints() const;
};

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_HIERARCHIES_H_
