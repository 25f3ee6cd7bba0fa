// A look into a container's root filesystem before the container exists: to read
// the image's own /etc/passwd and /etc/group.
//
// The overlay is mounted detached, attached nowhere: it is in no mount table, and
// closing the descriptor is all that it takes to be rid of it.
//
// Threads: a free function.
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

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_ROOTFS_VIEW_H_
