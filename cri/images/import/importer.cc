#include "cri/images/import/importer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"
#include "cri/containerd/content_store.h"
#include "cri/containerd/digest.h"
#include "cri/images/import/archive_files.h"
#include "cri/images/json_fields.h"
#include "cri/images/media_types.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

constexpr size_t kMaxImages = 1000;
constexpr char kNameAnnotation[] = "io.containerd.image.name";
constexpr char kRefAnnotation[] = "org.opencontainers.image.ref.name";

// An image of the archive: where its documents begin and what it is called there.
struct Found {
  Descriptor target;
  std::vector<Reference> names;
};

// The name that an OCI layout gives an entry. ref.name is often a mere tag.
absl::StatusOr<std::vector<Reference>> NamesOf(const Descriptor& entry) {
  std::string text;
  if (const auto it = entry.annotations.find(kNameAnnotation); it != entry.annotations.end()) {
    text = it->second;
  } else if (const auto ref = entry.annotations.find(kRefAnnotation);
             ref != entry.annotations.end() && absl::StrContains(ref->second, "/")) {
    text = ref->second;
  }
  std::vector<Reference> out;
  if (text.empty()) return out;
  CRISP_ASSIGN_OR_RETURN(out.emplace_back(), Annotate(ParseReference(text), "archive index"));
  return out;
}

absl::StatusOr<std::vector<Found>> FindInLayout(const ArchiveFiles& files) {
  CRISP_ASSIGN_OR_RETURN(const ImageIndex index,
                         Annotate(ParseImageIndex(files.Document("index.json")), "index.json"));
  std::vector<Found> out;
  for (const Descriptor& entry : index.manifests) {
    if (!IsManifestType(entry.media_type) && !IsIndexType(entry.media_type)) continue;
    CRISP_ASSIGN_OR_RETURN(std::vector<Reference> names, NamesOf(entry));
    // A tool that saves one image under two tags lists it twice.
    bool merged = false;
    for (Found& other : out) {
      if (other.target.digest != entry.digest) continue;
      other.names.insert(other.names.end(), names.begin(), names.end());
      merged = true;
    }
    if (!merged) out.push_back({entry, std::move(names)});
  }
  return out;
}

std::string LayerType(const StoredFile& file) {
  if (absl::StartsWith(file.head, "\x1f\x8b")) return absl::StrCat(kDockerLayer, ".gzip");
  if (absl::StartsWith(file.head, "\x28\xb5\x2f\xfd")) return absl::StrCat(kDockerLayer, ".zstd");
  return kDockerLayer;
}

json DescriptorJson(const std::string& type, const StoredFile& file) {
  return {{"mediaType", type}, {"digest", file.digest}, {"size", file.size}};
}

// `docker save` has no manifest of the kind that content stores know: one is made.
absl::StatusOr<Found> ReadSaved(Containerd* containerd, const ArchiveFiles& files,
                                const json& entry, const std::string& lease) {
  if (!entry.is_object()) return absl::InvalidArgumentError("entry is not an object");
  Found out;
  CRISP_ASSIGN_OR_RETURN(const std::string config, TextField(entry, "Config"));
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> layers, TextsField(entry, "Layers"));
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> tags, TextsField(entry, "RepoTags"));
  for (const std::string& tag : tags) {
    CRISP_ASSIGN_OR_RETURN(out.names.emplace_back(), ParseReference(tag));
  }
  CRISP_ASSIGN_OR_RETURN(const StoredFile config_file, files.File(config));
  json manifest = {{"schemaVersion", 2},
                   {"mediaType", kDockerManifest},
                   {"config", DescriptorJson(kDockerConfig, config_file)},
                   {"layers", json::array()}};
  for (const std::string& layer : layers) {
    CRISP_ASSIGN_OR_RETURN(const StoredFile file, files.File(layer));
    manifest["layers"].push_back(DescriptorJson(LayerType(file), file));
  }
  const std::string text = manifest.dump();
  out.target.media_type = kDockerManifest;
  out.target.digest = Sha256Digest(text);
  out.target.size = static_cast<int64_t>(text.size());
  CRISP_RETURN_IF_ERROR(WriteBlob(
      *containerd,
      {absl::StrCat("manifest-", out.target.digest), out.target.digest, out.target.size, lease},
      text, {}));
  return out;
}

absl::StatusOr<std::vector<Found>> FindSaved(Containerd* containerd, const ArchiveFiles& files,
                                             const std::string& lease) {
  const std::string& text = files.Document("manifest.json");
  const json body = ParseShallowJson(text);
  if (!body.is_array() || body.empty() || body.size() > kMaxImages) {
    return absl::InvalidArgumentError("manifest.json is not a list of images");
  }
  std::vector<Found> out;
  for (const json& entry : body) {
    CRISP_ASSIGN_OR_RETURN(Found one, Annotate(ReadSaved(containerd, files, entry, lease),
                                               "manifest.json[", out.size(), "]"));
    out.push_back(std::move(one));
  }
  return out;
}

// Gives the caller's name to the one image without any.
absl::Status NameTheNameless(const std::string& name, std::vector<Found>* found) {
  if (name.empty()) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const Reference given, Annotate(ParseReference(name), "field \"name\""));
  Found* nameless = nullptr;
  for (Found& image : *found) {
    if (!image.names.empty()) continue;
    if (nameless != nullptr) {
      return absl::InvalidArgumentError(
          "field \"name\": the archive holds several images without a name");
    }
    nameless = &image;
  }
  if (nameless != nullptr) nameless->names.push_back(given);
  return absl::OkStatus();
}

// Labels each document that belongs to the image, for the garbage collector.
absl::Status LabelDocuments(Containerd& containerd, const ImageContent& image) {
  CRISP_RETURN_IF_ERROR(SetLabels(containerd, image.manifest_descriptor.digest,
                                  ReferenceLabels(ImageDocument(image.manifest))));
  if (image.target.digest == image.manifest_descriptor.digest) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const std::string text,
                         ReadBlob(containerd, image.target.digest, kMaxJsonBytes));
  CRISP_ASSIGN_OR_RETURN(const ImageDocument index,
                         ParseImageDocument(text, image.target.media_type));
  Labels labels = ReferenceLabels(index);
  // An index of indexes: the manifest hangs on a label of its own.
  labels["containerd.io/gc.ref.content.chosen"] = image.manifest_descriptor.digest;
  return SetLabels(containerd, image.target.digest, labels);
}

}  // namespace

absl::StatusOr<std::vector<ImportedContent>> Importer::Import(
    ArchiveReader& archive, const std::string& name,
    const std::function<absl::Status(const std::vector<ImportedContent>&)>& publish) {
  CRISP_ASSIGN_OR_RETURN(Lease lease, Annotate(Lease::Create(containerd_), "import"));
  absl::StatusOr<std::vector<ImportedContent>> images = Run(archive, name, lease);
  absl::Status status = images.status();
  if (status.ok()) status = publish(*images);
  if (status.ok()) return images;
  (void)lease.Release(/*collect=*/true);
  return Annotate(status, "import");
}

absl::StatusOr<std::vector<ImportedContent>> Importer::Run(ArchiveReader& archive,
                                                           const std::string& name, Lease& lease) {
  CRISP_ASSIGN_OR_RETURN(const ArchiveFiles files,
                         ArchiveFiles::Store(containerd_, archive, lease.id()));
  std::vector<Found> found;
  if (!files.Document("index.json").empty()) {
    CRISP_ASSIGN_OR_RETURN(found, FindInLayout(files));
  } else if (!files.Document("manifest.json").empty()) {
    CRISP_ASSIGN_OR_RETURN(found, FindSaved(containerd_, files, lease.id()));
  } else {
    return absl::InvalidArgumentError(
        "neither an OCI layout (index.json) nor docker save (manifest.json)");
  }
  if (found.empty()) return absl::InvalidArgumentError("the archive holds no image");
  CRISP_RETURN_IF_ERROR(NameTheNameless(name, &found));
  std::vector<ImportedContent> out;
  for (Found& image : found) {
    absl::StatusOr<ImageContent> content =
        LoadImageContent(*containerd_, image.target, HostPlatform());
    if (!content.ok()) {
      return Annotate(absl::InvalidArgumentError(content.status().message()), image.target.digest);
    }
    CRISP_RETURN_IF_ERROR(LabelDocuments(*containerd_, *content));
    CRISP_RETURN_IF_ERROR(
        Annotate(unpacker_.UnpackStored(*content, lease, nullptr), image.target.digest));
    out.push_back({*std::move(content), std::move(image.names)});
  }
  return out;
}

}  // namespace crisp::cri
