// Mounts that are not attached anywhere yet: clones of what is on the host or in the
// pod, and new filesystems.
//
// Ownership: the caller owns the descriptors; a mount that is never attached is gone
//            with its last one.
// Threads:   single-threaded.
// Errors:    errno kept, naming the field of the mount.
#ifndef CRISP_SHIM_LAUNCH_MOUNT_SOURCE_H_
#define CRISP_SHIM_LAUNCH_MOUNT_SOURCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/mount_plan.h"

namespace crisp::shim {

// A planned bind's source, cloned, with its attributes, propagation and id maps set.
// Looked up in the mount namespace that the caller is in.
absl::StatusOr<UniqueFd> CloneSource(const PlannedMount& mount, unsigned long default_propagation);

// The binds of a kCgroup1 mount, in its order.
absl::StatusOr<std::vector<UniqueFd>> CloneCgroups(const PlannedMount& mount);

// A new filesystem of the caller's namespaces.
absl::StatusOr<UniqueFd> MakeFilesystem(const PlannedMount& mount);

// The general form: `data` are options for the filesystem, `attributes` MOUNT_ATTR_*.
absl::StatusOr<UniqueFd> NewFilesystem(const std::string& type, const std::string& source,
                                       const std::vector<std::string>& data, uint64_t attributes);

// A clone of what `fd` is, file or directory.
absl::StatusOr<UniqueFd> CloneFd(int fd, bool recursive);

// A clone of a device node of the host's; private: as a peer of the host's /dev it would take
// there what a container mounts over it.
absl::StatusOr<UniqueFd> CloneNode(int fd);

struct AttributeChange {
  uint64_t set = 0, clear = 0;
  unsigned long propagation = 0;  // MS_*; 0: as it is.
  int user_namespace = -1;        // For an idmapped mount.
  bool recursive = false;
};
absl::Status SetAttributes(int mount_fd, const AttributeChange& change);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_MOUNT_SOURCE_H_
