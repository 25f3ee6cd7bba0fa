// What this host offers to containers and what it forbids to us: probed once at
// start-up, then passed by value to whatever builds a spec.
//
// Threads: ProbeHostFacts reads /proc and /sys; the result is a plain value.
// Errors:  errno of the file that could not be read; features that merely are
//          not there are facts, not errors.
#ifndef CRISP_CRI_SPEC_HOST_FACTS_H_
#define CRISP_CRI_SPEC_HOST_FACTS_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

// kHybrid has its controllers on v1 hierarchies and an unused v2 tree beside
// them, so for resource limits it counts as v1.
enum class CgroupMode { kV1, kHybrid, kV2 };

struct HostFacts {
  CgroupMode cgroup_mode = CgroupMode::kV2;
  std::set<std::string> cgroup_controllers;  // "cpu", "memory", "hugetlb", ... usable here.
  bool swap_accounting = false;              // memory.memsw.* (v1) or memory.swap.max (v2).
  std::set<std::string> hugepage_sizes;      // As CRI spells them: "2MB", "1GB".
  bool seccomp = false;                      // The kernel has SECCOMP_MODE_FILTER.
  bool apparmor = false;
  bool selinux = false;
  uint64_t capability_bounds = 0;  // Our bounding set, bit n is capability n.
  bool can_raise_limits = false;   // We hold CAP_SYS_RESOURCE.
  int oom_score_adj = 0;           // Our own; the floor when limits cannot be raised.
  uint64_t nofile_soft = 0;
  uint64_t nofile_hard = 0;
  std::string kernel_release;
  int kernel_major = 0;
  int kernel_minor = 0;

  bool cgroup_v2() const { return cgroup_mode == CgroupMode::kV2; }
  bool has_controller(const std::string& name) const { return cgroup_controllers.count(name) > 0; }
  bool kernel_at_least(int major, int minor) const {
    return kernel_major > major || (kernel_major == major && kernel_minor >= minor);
  }
};

absl::StatusOr<HostFacts> ProbeHostFacts();

// `wanted` raised to the lowest value that we may give to a child.
int ClampOomScoreAdj(int wanted, const HostFacts& host);

// "6.1.0-13-amd64" -> 6, 1. InvalidArgument if it does not start that way.
absl::Status ParseKernelRelease(absl::string_view release, HostFacts* host);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_HOST_FACTS_H_
