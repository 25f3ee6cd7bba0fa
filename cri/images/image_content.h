// An image's documents in containerd's content store: reading them back, and the
// labels by which containerd's garbage collector finds what they refer to.
//
// Threads: free functions.
// Errors:  NotFound when a document is absent; those of manifest.h and image_config.h.
#ifndef CRISP_CRI_IMAGES_IMAGE_CONTENT_H_
#define CRISP_CRI_IMAGES_IMAGE_CONTENT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/content_store.h"
#include "cri/images/image_config.h"
#include "cri/images/manifest.h"

namespace crisp::cri {

struct ImageContent {
  Descriptor target;  // What the names point to: an index or the manifest.
  Descriptor manifest_descriptor;
  ImageManifest manifest;
  ImageConfig config;

  // Compressed: manifest, config and layers.
  uint64_t Size() const;
};

// A document's bytes by its descriptor: from a registry or from the store.
using DocumentSource = std::function<absl::StatusOr<std::string>(const Descriptor&)>;

// Follows `target` to the manifest and config for `host`. InvalidArgument when
// config and manifest do not fit together.
absl::StatusOr<ImageContent> ReadImageContent(const Descriptor& target, const Platform& host,
                                              const DocumentSource& source);

// The same, from the content store.
absl::StatusOr<ImageContent> LoadImageContent(Containerd& containerd, const Descriptor& target,
                                              const Platform& host);

// containerd.io/gc.ref labels for a manifest or index.
Labels ReferenceLabels(const ImageDocument& document);

// containerd.io/gc.ref label of a config: it keeps the unpacked layers.
Labels SnapshotLabels(const std::string& snapshotter, const std::string& chain_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_CONTENT_H_
