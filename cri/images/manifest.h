// Image manifests and indexes: JSON that registries and archives hand over.
//
// Which of the two a document is follows from its body and must agree with what
// its media type claims: a document that can be read both ways would be one thing
// to a scanner and another to us.
//
// Threads: values and free functions.
// Errors:  InvalidArgument names the field; NotFound when no platform matches.
#ifndef CRISP_CRI_IMAGES_MANIFEST_H_
#define CRISP_CRI_IMAGES_MANIFEST_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cri/images/platform.h"

namespace crisp::cri {

struct Descriptor {
  std::string media_type;
  std::string digest;
  int64_t size = 0;
  std::vector<std::string> urls;
  absl::optional<Platform> platform;
  std::map<std::string, std::string> annotations;
};

struct ImageManifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;  // Bottom first.

  int64_t ContentSize() const;  // Config and layers, compressed.
};

struct ImageIndex {
  std::string media_type;
  std::vector<Descriptor> manifests;
};

using ImageDocument = std::variant<ImageManifest, ImageIndex>;

// `media_type` is what the document was announced as; "" or a type that is none
// of ours leaves the question to the body.
absl::StatusOr<ImageDocument> ParseImageDocument(absl::string_view json,
                                                 absl::string_view media_type);

// An OCI layout's index.json, where "mediaType" is often absent.
absl::StatusOr<ImageIndex> ParseImageIndex(absl::string_view json);

// The manifest of `index` that suits `host` best; the first of equals.
absl::StatusOr<Descriptor> ChooseManifest(const ImageIndex& index, const Platform& host);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_MANIFEST_H_
