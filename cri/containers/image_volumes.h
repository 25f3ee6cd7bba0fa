// Image volumes: images that a container sees as read-only directories.
//
// Each is a view of the image's layers, mounted on the host below the pod's
// directory for as long as the container exists:
//
//   <state>/pods/<pod>/image-volumes/<container>/<index in config.mounts>
//
// The directory is there before the view and the mount, so whoever finds it can
// undo both. A view of its own keeps the layers of an image that is removed
// meanwhile.
//
// Ownership: borrows the context.
// Threads:   as for the container that they belong to: under its claim.
// Errors:    start with "ImageVolumeMountFailed", the reason that kubelet shows.
// Crash:     mounts and views stay; ReleaseImageVolumes finds them by the
//            directories.
#ifndef CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_
#define CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

struct ImageVolume {
  std::string image_id;
  std::string host_path;  // Of image_sub_path in the mounted view.
};

// Mounts what config.mounts asks for; the keys are indices there.
absl::StatusOr<std::map<int, ImageVolume>> MountImageVolumes(const ContainerContext& context,
                                                             const Container& container);

// Idempotent, and OK for a container without any.
absl::Status ReleaseImageVolumes(const ContainerContext& context, const std::string& pod_directory,
                                 const std::string& container_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_
