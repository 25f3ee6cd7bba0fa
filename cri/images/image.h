// One image of this node, with all its names.
#ifndef CRISP_CRI_IMAGES_IMAGE_H_
#define CRISP_CRI_IMAGES_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "cri/images/image_config.h"

namespace crisp::cri {

struct Image {
  std::string id;                         // "sha256:…", digest of the config.
  std::vector<std::string> repo_tags;     // "docker.io/library/busybox:latest"; sorted.
  std::vector<std::string> repo_digests;  // "docker.io/library/busybox@sha256:…"; sorted.
  uint64_t size = 0;                      // Compressed: manifest, config and layers.
  absl::optional<int64_t> uid;            // Of the image's user, if that is a number,
  std::string username;                   // else its name.
  bool pinned = false;                    // Kubelet's image collection leaves it alone.
  std::string chain_id;                   // Snapshot of the root filesystem; "" without layers.
  ImageConfig config;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_H_
