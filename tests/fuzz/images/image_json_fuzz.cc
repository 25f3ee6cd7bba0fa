// Image documents, challenges and archives from hostile bytes: no crash, no hang,
// and nothing accepted that breaks what later code relies on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cri/images/image_config.h"
#include "cri/images/import/tar_reader.h"
#include "cri/images/manifest.h"
#include "cri/images/media_types.h"
#include "cri/images/platform.h"
#include "cri/images/reference.h"
#include "cri/images/registry/challenge.h"

namespace {

using namespace crisp::cri;

void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsDigest(const std::string& text) {
  return text.size() == 71 && text.compare(0, 7, "sha256:") == 0;
}

void FuzzDocument(const std::string& text, const char* type) {
  const absl::StatusOr<ImageDocument> document = ParseImageDocument(text, type);
  if (!document.ok()) return;
  if (const auto* index = std::get_if<ImageIndex>(&*document)) {
    const absl::StatusOr<Descriptor> chosen = ChooseManifest(*index, HostPlatform());
    Require(!chosen.ok() || IsDigest(chosen->digest));
    return;
  }
  const auto& manifest = std::get<ImageManifest>(*document);
  Require(manifest.ContentSize() >= 0);
  for (const Descriptor& layer : manifest.layers) {
    Require(IsDigest(layer.digest) && layer.size >= 0);
  }
}

void FuzzConfig(const std::string& text) {
  const absl::StatusOr<ImageConfig> config = ParseImageConfig(text, "");
  if (!config.ok()) return;
  const ImageUser user = UserOf(config->user);
  Require(!user.uid.has_value() || (*user.uid >= 0 && *user.uid <= INT32_MAX));
  for (const std::string& one : config->env) Require(one.find('\0') == std::string::npos);
  for (const std::string& one : config->diff_ids) Require(IsDigest(one));
}

void FuzzReference(const std::string& text) {
  const absl::StatusOr<Reference> once = ParseReference(text);
  if (!once.ok()) return;
  const absl::StatusOr<Reference> twice = ParseReference(once->ToString());
  Require(twice.ok() && twice->ToString() == once->ToString());
}

void FuzzTar(const std::string& bytes) {
  StringArchive archive(bytes);
  TarReader tar(&archive);
  while (true) {
    const auto entry = tar.Next();
    if (!entry.ok() || !entry->has_value()) return;
    Require((*entry)->size >= 0);
    if (!tar.ReadText(1 << 20).ok()) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      FuzzDocument(text, "");
      break;
    case 1:
      FuzzDocument(text, kOciManifest);
      break;
    case 2:
      FuzzConfig(text);
      break;
    case 3:
      FuzzReference(text);
      break;
    case 4:
      FuzzTar(text);
      break;
    case 5:
      (void)ParseChallenges({text});
      break;
  }
  return 0;
}
