// A container's root: mounted nowhere at first, then over the root of its mount
// namespace, then the root itself.
//
// Ownership: the caller owns the descriptors.
// Threads:   single-threaded.
// Errors:    errno kept.
#ifndef CRISP_SHIM_LAUNCH_ROOTFS_H_
#define CRISP_SHIM_LAUNCH_ROOTFS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/launch.h"
#include "shim/launch/root_dir.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

struct Rootfs {
  UniqueFd tree;
  std::vector<std::pair<std::string, UniqueFd>> below;  // Target from the root, mount.
};

// From the mounts of the request or, without any, from the spec's root.path. In the
// host's mount namespace.
absl::StatusOr<Rootfs> MakeRootfs(const ContainerLaunch& request, const Spec& spec);

// In a mount namespace of the caller's own, which nothing is propagated from or to:
// the root lies over the old one. Nothing is resolved through it yet.
absl::StatusOr<RootDir> AttachRootfs(Rootfs rootfs);

// What was below the old root is gone, and the working directory is the new root.
// `pivot` false: the old root stays hidden below, where pivot_root cannot work. A root
// that the spec wants shared is so from here on.
absl::Status EnterRootfs(const RootDir& root, bool pivot, const Spec& spec);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_ROOTFS_H_
