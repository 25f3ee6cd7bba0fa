#include "cri/images/manifest.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"
#include "cri/images/json_fields.h"
#include "cri/images/media_types.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

constexpr size_t kMaxLayers = 1000;
constexpr size_t kMaxManifests = 10'000;
constexpr int64_t kMaxBlobBytes = int64_t{1} << 46;  // Sums of a thousand do not overflow.
constexpr int kUnmarkedRank = 1000;                  // An entry that names no platform: last.

absl::StatusOr<Platform> ParsePlatform(const json& object) {
  Platform platform;
  CRISP_ASSIGN_OR_RETURN(platform.os, TextField(object, "os"));
  CRISP_ASSIGN_OR_RETURN(platform.architecture, TextField(object, "architecture"));
  CRISP_ASSIGN_OR_RETURN(platform.variant, TextField(object, "variant"));
  return platform;
}

absl::StatusOr<Descriptor> ParseDescriptor(const json& object) {
  if (!object.is_object()) return absl::InvalidArgumentError("descriptor is not an object");
  Descriptor out;
  CRISP_ASSIGN_OR_RETURN(out.media_type, TextField(object, "mediaType"));
  CRISP_ASSIGN_OR_RETURN(out.digest, TextField(object, "digest"));
  CRISP_RETURN_IF_ERROR(ValidateDigest(out.digest));
  CRISP_ASSIGN_OR_RETURN(out.size, IntField(object, "size"));
  if (out.size < 0 || out.size > kMaxBlobBytes) {
    return absl::InvalidArgumentError(absl::StrCat("field \"size\": ", out.size));
  }
  CRISP_ASSIGN_OR_RETURN(out.urls, TextsField(object, "urls"));
  CRISP_ASSIGN_OR_RETURN(out.annotations, TextMapField(object, "annotations"));
  CRISP_ASSIGN_OR_RETURN(const json* platform, ObjectField(object, "platform"));
  if (platform != nullptr) {
    CRISP_ASSIGN_OR_RETURN(out.platform, ParsePlatform(*platform));
  }
  return out;
}

absl::StatusOr<std::vector<Descriptor>> ParseDescriptors(const json& object,
                                                         const std::string& name, size_t most) {
  CRISP_ASSIGN_OR_RETURN(const json* array, ArrayField(object, name));
  std::vector<Descriptor> out;
  if (array == nullptr) return out;
  if (array->size() > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("field \"", name, "\" has ", array->size(), " entries; at most ", most));
  }
  for (const json& item : *array) {
    CRISP_ASSIGN_OR_RETURN(
        Descriptor one, Annotate(ParseDescriptor(item), "field \"", name, "\"[", out.size(), "]"));
    out.push_back(std::move(one));
  }
  return out;
}

absl::StatusOr<ImageManifest> ReadManifest(const json& body, std::string media_type) {
  ImageManifest out;
  out.media_type = std::move(media_type);
  const auto config = body.find("config");
  if (config == body.end()) return absl::InvalidArgumentError("field \"config\" is missing");
  CRISP_ASSIGN_OR_RETURN(out.config, Annotate(ParseDescriptor(*config), "field \"config\""));
  if (!IsConfigType(out.config.media_type)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "not a container image: its config is of type \"", out.config.media_type, "\""));
  }
  CRISP_ASSIGN_OR_RETURN(out.layers, ParseDescriptors(body, "layers", kMaxLayers));
  for (const Descriptor& layer : out.layers) {
    if (!IsLayerType(layer.media_type)) {
      return absl::InvalidArgumentError(absl::StrCat("layer ", layer.digest, " is of type \"",
                                                     layer.media_type,
                                                     "\", which is not a filesystem layer"));
    }
  }
  return out;
}

absl::StatusOr<ImageIndex> ReadIndex(const json& body, std::string media_type) {
  ImageIndex out;
  out.media_type = std::move(media_type);
  CRISP_ASSIGN_OR_RETURN(out.manifests, ParseDescriptors(body, "manifests", kMaxManifests));
  return out;
}

}  // namespace

int64_t ImageManifest::ContentSize() const {
  int64_t sum = config.size;
  for (const Descriptor& layer : layers) sum += layer.size;
  return sum;
}

absl::StatusOr<ImageDocument> ParseImageDocument(absl::string_view text,
                                                 absl::string_view media_type) {
  CRISP_ASSIGN_OR_RETURN(const json body, ParseJsonObject(text));
  const bool has_manifests = body.contains("manifests");
  const bool has_image = body.contains("layers") || body.contains("config");
  if (body.contains("fsLayers") || body.contains("signatures")) {
    return absl::InvalidArgumentError("image manifest of schema version 1 is not supported");
  }
  if (has_manifests && has_image) {
    return absl::InvalidArgumentError(
        "ambiguous: has \"manifests\" of an index and \"config\" or \"layers\" of a manifest");
  }
  if (!has_manifests && !has_image) {
    return absl::InvalidArgumentError("neither an image manifest nor an image index");
  }
  CRISP_ASSIGN_OR_RETURN(const int64_t version, IntField(body, "schemaVersion"));
  if (version != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("field \"schemaVersion\": ", version, ", not 2"));
  }
  CRISP_ASSIGN_OR_RETURN(const std::string own_type, TextField(body, "mediaType"));
  for (const absl::string_view claimed : {media_type, absl::string_view(own_type)}) {
    if (has_manifests ? IsManifestType(claimed) : IsIndexType(claimed)) {
      return absl::InvalidArgumentError(absl::StrCat("announced as ", claimed, " but the body is ",
                                                     has_manifests ? "an index" : "a manifest"));
    }
  }
  std::string type(media_type);
  if (!IsIndexType(type) && !IsManifestType(type)) type = own_type;
  if (!IsIndexType(type) && !IsManifestType(type)) type = has_manifests ? kOciIndex : kOciManifest;
  if (has_manifests) return ReadIndex(body, std::move(type));
  return ReadManifest(body, std::move(type));
}

absl::StatusOr<ImageIndex> ParseImageIndex(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(ImageDocument document, ParseImageDocument(text, kOciIndex));
  return std::get<ImageIndex>(std::move(document));
}

absl::StatusOr<Descriptor> ChooseManifest(const ImageIndex& index, const Platform& host) {
  const Descriptor* best = nullptr;
  int best_rank = 0;
  std::vector<std::string> offers;
  for (const Descriptor& entry : index.manifests) {
    // Unknown types are signatures and the like, or what later standards add.
    if (!IsManifestType(entry.media_type) && !IsIndexType(entry.media_type)) continue;
    absl::optional<int> rank = kUnmarkedRank;
    if (entry.platform.has_value()) {
      rank = RankPlatform(host, *entry.platform);
      offers.push_back(entry.platform->ToString());
    }
    if (rank.has_value() && (best == nullptr || *rank < best_rank)) {
      best = &entry;
      best_rank = *rank;
    }
  }
  if (best == nullptr) {
    if (offers.size() > 20) offers.resize(20);
    return absl::NotFoundError(absl::StrCat("no image for ", host.ToString(), "; there are: ",
                                            offers.empty() ? "none" : absl::StrJoin(offers, ", ")));
  }
  return *best;
}

}  // namespace crisp::cri
