// Image volumes: images that a container sees as read-only directories.
//
// With a driver that owns_pod_mounts(), and overlayfs, an image's layers are pinned, and the
// container's launcher lays them over each other in the container's own mount namespace.
// For others each is a view of the layers, mounted on the host below the pod's
// directory for as long as the container exists:
//
//   <state>/pods/<pod>/image-volumes/<container>/<name>
//
// The directory is there before the view and the mount, so whoever finds it can
// undo both. Either way the layers of an image that is removed meanwhile stay.
//
// Ownership: borrows the context.
// Threads:   as for the container that they belong to: under its claim.
// Errors:    start with "ImageVolumeMountFailed", the reason that kubelet shows.
// Crash:     mounts and views stay; ReleaseImageVolumes finds them by the
//            directories. Pins are in the container's record.
#ifndef CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_
#define CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"
#include "cri/spec/mounts.h"

namespace crisp::cri {

struct ImageVolume {
  std::string image_id;
  ImageMount mount;
};

// Layers that are pinned for one container: the key of each, by user.
using ImagePins = std::map<std::string, std::string>;

// One image of a container: `name` tells it from the others, `field` names it in messages.
// What it pins is added to `pins`, whatever becomes of the rest.
absl::StatusOr<ImageVolume> MakeImageVolume(const ContainerContext& context,
                                            const Container& container, const std::string& name,
                                            const std::string& field, const std::string& image,
                                            const std::string& sub_path, ImagePins* pins);

// All that config.mounts asks for; the keys are indices there.
absl::StatusOr<std::map<int, ImageVolume>> MakeImageVolumes(const ContainerContext& context,
                                                            const Container& container,
                                                            ImagePins* pins);

absl::Status UnpinImages(const ContainerContext& context, const ImagePins& pins);

// Mounts and views. Idempotent, and OK for a container without any.
absl::Status ReleaseImageVolumes(const ContainerContext& context, const std::string& pod_directory,
                                 const std::string& container_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_IMAGE_VOLUMES_H_
