// What the kernel holds a cgroup to now: to report it, and to put it back.
//
// Threads: a free function.
// Errors:  NotFound if no hierarchy has the cgroup; errno of a file that is there but
//          does not read.
#ifndef CRISP_CGROUP_LIMITS_H_
#define CRISP_CGROUP_LIMITS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"
#include "cgroup/resources.h"

namespace crisp::cgroup {

// Limits of memory, CPU and huge pages (the sizes that `wanted` names) in the form that
// Update takes; absent where the host does not count them. cgroup v2 keeps CPU shares on
// another scale: they read as those of `wanted` if these come to the kernel's weight, by our
// conversion or an older runtime's, else as what has that weight.
absl::StatusOr<Resources> ReadLimits(const Hierarchies& hosts, const std::string& path,
                                     const Resources& wanted);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_LIMITS_H_
