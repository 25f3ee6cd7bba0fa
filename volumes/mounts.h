// The few mounts that volumes need, made detached and attached descriptor to
// descriptor (fsopen, open_tree, move_mount, mount_setattr): no path is walked
// twice, and mount(8) is never involved.
//
// Ownership: a detached mount ends with its descriptor unless it is attached.
// Threads:   free functions; they act on the caller's mount namespace.
// Errors:    errno kept.
#ifndef CRISP_VOLUMES_MOUNTS_H_
#define CRISP_VOLUMES_MOUNTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "base/unique_fd.h"

namespace crisp::volumes {

// A new tmpfs: nosuid, nodev, and kept out of swap where the kernel can (6.3).
// `bytes` 0 leaves the kernel's default bound, half of the memory.
absl::StatusOr<UniqueFd> NewTmpfs(int64_t bytes, mode_t mode);

// A clone of the mount at `fd`, rooted there, without the mounts below it.
// `propagation`: "private", "rslave", or "rshared" to stay in the peer group.
absl::StatusOr<UniqueFd> CloneMount(int fd, absl::string_view propagation, bool read_only);

// Attaches a detached mount on what `target_fd` is open on (O_PATH). A private or
// slave mount stays so even where the parent is shared.
absl::Status AttachMount(int mount_fd, int target_fd, absl::string_view propagation);

// Whether `name` below `dirfd` is the root of a mount. NotFound if it is absent;
// a last component that is a symlink is not followed.
absl::StatusOr<bool> IsMountRoot(int dirfd, const std::string& name);

// Detaches every mount stacked on `name` below `dirfd`, without following symlinks.
// OK if nothing is mounted there or it does not exist.
absl::Status UnmountAt(int dirfd, const std::string& name);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_MOUNTS_H_
