// How often the kernel's OOM killer has struck in a cgroup.
//
// Threads: a free function.
#ifndef CRISP_CRI_TASK_OOM_KILLS_H_
#define CRISP_CRI_TASK_OOM_KILLS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

// Processes of the cgroup at `cgroup_path` (from the root of the hierarchy) that
// were killed for memory, under cgroup v2 or v1. NotFound when it has no such cgroup or the
// kernel does not count there.
absl::StatusOr<uint64_t> OomKills(const std::string& cgroup_path,
                                  const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_OOM_KILLS_H_
