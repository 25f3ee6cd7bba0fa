// The directories of a cgroup in all hierarchies: making, finding and removing them.
//
// Threads: free functions; safe beside each other, also for paths with common parents.
// Errors:  errno kept.
#ifndef CRISP_CGROUP_TREE_H_
#define CRISP_CGROUP_TREE_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"

namespace crisp::cgroup {

// An absolute path below the root, without empty, "." or ".." elements.
absl::Status CheckPath(const std::string& path);

// Makes `path` below the mount point with its parents. With `cpuset` (the v1 hierarchy
// of that controller) a new cgroup inherits the lists without which it holds no process.
// The directories that this call made are appended to `made`, parents first.
absl::Status MakeCgroup(const std::string& mount_point, const std::string& path, bool cpuset,
                        std::vector<std::string>* made);

// Enables all the controllers that the tree has in every parent of `path`, as far as
// the kernel lets: what is missing then shows when a limit needs it.
void EnableControllers(const std::string& unified, const std::string& path);

// Calls `visit` for the cgroup at `directory` and for those below it, parents first,
// until one returns an error. One that vanishes meanwhile is passed over.
absl::Status Walk(const std::string& directory,
                  const std::function<absl::Status(const std::string& directory)>& visit);

// Names of the cgroups right below `directory`.
std::vector<std::string> Children(const std::string& directory);

// The host pids in the cgroup at `directory` and below it.
absl::StatusOr<std::vector<pid_t>> PidsBelow(const std::string& directory);

// Removes the cgroup and those below it. OK if it is gone; EBUSY while processes are
// in it.
absl::Status RemoveBelow(const std::string& directory);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_TREE_H_
