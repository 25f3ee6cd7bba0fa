// A mount plan, carried out once, descriptor to descriptor.
//
//   OpenSources      in the host's mount namespace: clones of what is bound from there
//   AttachMounts     in the container's: new filesystems, all put in their places
//   HidePaths        masked and read-only paths, and what is read-only from now on
//
// Ownership: a MountSources owns detached mounts; unattached ones vanish with it.
// Threads:   single-threaded.
// Errors:    errno kept, naming the field.
#ifndef CRISP_SHIM_LAUNCH_APPLY_MOUNTS_H_
#define CRISP_SHIM_LAUNCH_APPLY_MOUNTS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/mount_plan.h"
#include "shim/launch/root_dir.h"

namespace crisp::shim {

struct MountSources {
  // By the plan's order; empty for what is made, or found in the pod, later.
  std::vector<std::vector<UniqueFd>> trees;
  UniqueFd dev_null;  // The host's, checked to be it: what masks a file.
};

absl::StatusOr<MountSources> OpenSources(const MountPlan& plan);

// The clones that are looked up in the pod's mount namespace, which the caller is in.
absl::Status OpenPodSources(const MountPlan& plan, MountSources* sources);

// What was attached and has to become read-only at the end.
using ReadonlyLater = std::vector<UniqueFd>;

absl::StatusOr<ReadonlyLater> AttachMounts(const MountPlan& plan, MountSources* sources,
                                           const RootDir& root);

absl::Status HidePaths(const MountPlan& plan, const MountSources& sources, const RootDir& root);

absl::Status MakeReadonly(const MountPlan& plan, const ReadonlyLater& mounts, const RootDir& root);

// move_mount from one descriptor onto another.
absl::Status Attach(int mount, int place);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_APPLY_MOUNTS_H_
