// Stops all processes of a cgroup where they are, and lets them go on.
//
// Threads: free functions. Freeze waits up to two seconds for the kernel.
// Errors:  errno kept; FailedPrecondition if the host has no freezer;
//          DeadlineExceeded if a process did not stop, and all go on.
#ifndef CRISP_CGROUP_FREEZER_H_
#define CRISP_CGROUP_FREEZER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"

namespace crisp::cgroup {

absl::Status Freeze(const Hierarchies& hosts, const std::string& path);
absl::Status Thaw(const Hierarchies& hosts, const std::string& path);
absl::StatusOr<bool> Frozen(const Hierarchies& hosts, const std::string& path);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_FREEZER_H_
