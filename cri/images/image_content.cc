#include "cri/images/image_content.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/images/json_fields.h"

namespace crisp::cri {
namespace {

constexpr int kMaxIndexDepth = 4;

}  // namespace

uint64_t ImageContent::Size() const {
  return static_cast<uint64_t>(manifest_descriptor.size + manifest.ContentSize());
}

absl::StatusOr<ImageContent> ReadImageContent(const Descriptor& target, const Platform& host,
                                              const DocumentSource& source) {
  ImageContent out;
  out.target = target;
  Descriptor at = target;
  for (int depth = 0;; ++depth) {
    CRISP_ASSIGN_OR_RETURN(const std::string text, source(at));
    absl::StatusOr<ImageDocument> document = ParseImageDocument(text, at.media_type);
    if (!document.ok()) return Annotate(document.status(), at.digest);
    if (auto* manifest = std::get_if<ImageManifest>(&*document)) {
      out.manifest = std::move(*manifest);
      break;
    }
    if (depth == kMaxIndexDepth) {
      return absl::InvalidArgumentError(absl::StrCat(target.digest, ": indexes nest too deeply"));
    }
    CRISP_ASSIGN_OR_RETURN(
        at, Annotate(ChooseManifest(std::get<ImageIndex>(*document), host), "index ", at.digest));
  }
  out.manifest_descriptor = std::move(at);
  const std::string& id = out.manifest.config.digest;
  CRISP_ASSIGN_OR_RETURN(const std::string text, source(out.manifest.config));
  CRISP_ASSIGN_OR_RETURN(out.config, Annotate(ParseImageConfig(text, id), "config ", id));
  if (out.config.diff_ids.size() != out.manifest.layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "manifest ", out.manifest_descriptor.digest, " has ", out.manifest.layers.size(),
        " layers, its config ", out.config.diff_ids.size(), " diff_ids"));
  }
  return out;
}

absl::StatusOr<ImageContent> LoadImageContent(Containerd& containerd, const Descriptor& target,
                                              const Platform& host) {
  return ReadImageContent(
      target, host, [&](const Descriptor& descriptor) -> absl::StatusOr<std::string> {
        CRISP_ASSIGN_OR_RETURN(std::string text,
                               ReadBlob(containerd, descriptor.digest, kMaxJsonBytes));
        if (static_cast<int64_t>(text.size()) != descriptor.size) {
          return absl::InvalidArgumentError(absl::StrCat(descriptor.digest, " has ", text.size(),
                                                         " bytes, not ", descriptor.size));
        }
        return text;
      });
}

Labels ReferenceLabels(const ImageDocument& document) {
  Labels out;
  if (const auto* index = std::get_if<ImageIndex>(&document)) {
    for (size_t i = 0; i < index->manifests.size(); ++i) {
      out[absl::StrCat("containerd.io/gc.ref.content.m.", i)] = index->manifests[i].digest;
    }
    return out;
  }
  const ImageManifest& manifest = std::get<ImageManifest>(document);
  out["containerd.io/gc.ref.content.config"] = manifest.config.digest;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    out[absl::StrCat("containerd.io/gc.ref.content.l.", i)] = manifest.layers[i].digest;
  }
  return out;
}

Labels SnapshotLabels(const std::string& snapshotter, const std::string& chain_id) {
  if (chain_id.empty()) return {};
  return {{absl::StrCat("containerd.io/gc.ref.snapshot.", snapshotter), chain_id}};
}

}  // namespace crisp::cri
