// Media types of the documents and layers that images are made of, Docker's and OCI's.
#ifndef CRISP_CRI_IMAGES_MEDIA_TYPES_H_
#define CRISP_CRI_IMAGES_MEDIA_TYPES_H_

#include "absl/strings/string_view.h"

namespace crisp::cri {

inline constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kDockerIndex[] = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
inline constexpr char kDockerLayer[] = "application/vnd.docker.image.rootfs.diff.tar";

bool IsIndexType(absl::string_view type);
bool IsManifestType(absl::string_view type);
bool IsConfigType(absl::string_view type);
// A root filesystem layer that containerd can unpack; encrypted ones it cannot.
bool IsLayerType(absl::string_view type);
// A layer that registries do not carry: it is fetched from its descriptor's URLs.
bool IsForeignLayerType(absl::string_view type);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_MEDIA_TYPES_H_
