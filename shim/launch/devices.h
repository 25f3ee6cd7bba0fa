// A container's /dev: device nodes, the usual links, the console.
//
// Threads: single-threaded.
// Errors:  errno kept, naming the path in the container.
#ifndef CRISP_SHIM_LAUNCH_DEVICES_H_
#define CRISP_SHIM_LAUNCH_DEVICES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/mount_plan.h"
#include "shim/launch/root_dir.h"

namespace crisp::shim {

// Clones of the host's nodes, for a user namespace, where none can be made; by the
// plan's order.
absl::StatusOr<std::vector<UniqueFd>> CloneDevices(const MountPlan& plan);

// `clones` empty: nodes are made.
absl::Status MakeDevices(const MountPlan& plan, const std::vector<UniqueFd>& clones,
                         const RootDir& root);

// /dev/fd, /dev/stdin and the like, /dev/ptmx.
absl::Status LinkDevices(const MountPlan& plan, const RootDir& root);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_DEVICES_H_
