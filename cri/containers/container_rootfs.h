// What a container's root filesystem is made of.
//
// A driver that owns_pod_mounts() gets, with overlayfs, the image's pinned layers below
// directories of crispd's own, and containerd hears nothing of the container:
//
//   <rootfs_dir>/<container id>/{fs,work}   what the container writes
//   <rootfs_dir>/.trash/<container id>      removed, being deleted
//
// Every other container has a snapshot of containerd's, with the container's id.
//
// Threads: one container at a time.
// Errors:  containerd's; errno of the directories.
// Crash:   a directory without a container, and what is in the trash, is deleted by
//          SweepRootfs.
#ifndef CRISP_CRI_CONTAINERS_CONTAINER_ROOTFS_H_
#define CRISP_CRI_CONTAINERS_CONTAINER_ROOTFS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/containerd/mount.pb.h"
#include "base/unique_fd.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"
#include "cri/images/image.h"

namespace crisp::cri {

struct ContainerRootfs {
  std::shared_ptr<const UniqueFd> view;  // A directory, to look into it.
  // For the record: of pinned layers; empty with a snapshot.
  std::string layers_key;
  std::vector<std::string> lower_dirs;
};

// Whether the container gets pinned layers of the image and no snapshot, be it its own image or
// a volume's.
bool PinsLayers(const ContainerContext& context, const Container& container, const Image& image);

absl::StatusOr<ContainerRootfs> MakeRootfs(const ContainerContext& context,
                                           const Container& container, const Image& image);

// How to mount it, once its record has what MakeRootfs returned.
absl::StatusOr<std::vector<containerd::types::Mount>> RootfsMounts(const ContainerContext& context,
                                                                   const Container& container);

// Where the container with pinned layers keeps what it writes.
std::string UpperDirOf(const ContainerContext& context, const std::string& id);

// OK if there is none. The files are deleted in the background.
absl::Status RemoveRootfs(const ContainerContext& context, const Container& container);

// After a restart, with the containers that live on in the store.
absl::Status RecoverRootfs(const ContainerContext& context);
void SweepRootfs(const ContainerContext& context);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CONTAINER_ROOTFS_H_
