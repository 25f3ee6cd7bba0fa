// What the kernel's OOM killer did in a cgroup, and word of it when it strikes.
//
// Threads: free functions. Errors: errno kept.
#ifndef CRISP_CGROUP_OOM_H_
#define CRISP_CGROUP_OOM_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "cgroup/hierarchies.h"

namespace crisp::cgroup {

absl::StatusOr<uint64_t> CountOomKills(const Hierarchies& hosts, const std::string& path);
absl::StatusOr<UniqueFd> WatchOomKills(const Hierarchies& hosts, const std::string& path);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_OOM_H_
