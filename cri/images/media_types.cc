#include "cri/images/media_types.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace crisp::cri {

bool IsIndexType(absl::string_view type) { return type == kOciIndex || type == kDockerIndex; }

bool IsManifestType(absl::string_view type) {
  return type == kOciManifest || type == kDockerManifest;
}

bool IsConfigType(absl::string_view type) { return type == kOciConfig || type == kDockerConfig; }

bool IsForeignLayerType(absl::string_view type) {
  return absl::StartsWith(type, "application/vnd.docker.image.rootfs.foreign.diff.tar") ||
         absl::StartsWith(type, "application/vnd.oci.image.layer.nondistributable.v1.tar");
}

bool IsLayerType(absl::string_view type) {
  if (!absl::ConsumePrefix(&type, kDockerLayer) &&
      !absl::ConsumePrefix(&type, "application/vnd.docker.image.rootfs.foreign.diff.tar") &&
      !absl::ConsumePrefix(&type, "application/vnd.oci.image.layer.v1.tar") &&
      !absl::ConsumePrefix(&type, "application/vnd.oci.image.layer.nondistributable.v1.tar")) {
    return false;
  }
  return type.empty() || type == "+gzip" || type == ".gzip" || type == "+zstd" || type == ".zstd";
}

}  // namespace crisp::cri
