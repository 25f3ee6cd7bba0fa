// A look into a root filesystem that no container runs on: to read the image's own
// /etc/passwd and /etc/group before the container exists, or as a volume.
//
// What OpenRootfsView mounts is attached nowhere: it is in no mount table, and closing
// the descriptor is all that it takes to be rid of it.
//
// Threads: free functions.
// Errors:  errno; Unimplemented for a mount type other than bind and overlay.
#ifndef CRISP_CRI_IMAGES_ROOTFS_VIEW_H_
#define CRISP_CRI_IMAGES_ROOTFS_VIEW_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "api/containerd/mount.pb.h"
#include "base/unique_fd.h"

namespace crisp::cri {

// The layers, the uppermost first, that `mounts` (of an unused snapshot or a view of
// overlayfs) put together.
absl::StatusOr<std::vector<std::string>> LowerDirsOf(
    const std::vector<containerd::types::Mount>& mounts);

// A directory descriptor of the root that `mounts` (of an unused snapshot) make.
absl::StatusOr<UniqueFd> OpenRootfsView(const std::vector<containerd::types::Mount>& mounts);

// Mounts that root on the directory `target`, a path that crisp itself chose: read-only,
// without set-uid bits and devices, private.
absl::Status MountRootfsView(const std::vector<containerd::types::Mount>& mounts,
                             const std::string& target);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_ROOTFS_VIEW_H_
