// clone3(2) as a launch needs it: a sibling of the caller, so that it is the shim's own
// child.
//
// Threads: the caller has one thread, so that the child may use all of libc.
// Errors:  errno kept.
#ifndef CRISP_SHIM_LAUNCH_CLONE_H_
#define CRISP_SHIM_LAUNCH_CLONE_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

struct Sibling {
  pid_t pid = 0;  // 0: this is it.
  UniqueFd pidfd;
};

// `cgroup` is a directory of the cgroup v2 tree to be born in, or -1.
absl::StatusOr<Sibling> CloneSibling(uint64_t namespaces, int cgroup);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_CLONE_H_
