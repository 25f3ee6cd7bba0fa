// Names of images, as people write them and as containerd stores them.
//
// "busybox" means docker.io/library/busybox:latest. A tag beside a digest is
// dropped: the digest says exactly which image is meant. 64 bare hex digits are
// never a name: they are an image id.
//
// Threads: values and free functions.
// Errors:  InvalidArgument names the text and the rule that it breaks.
#ifndef CRISP_CRI_IMAGES_REFERENCE_H_
#define CRISP_CRI_IMAGES_REFERENCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // "latest"; empty when there is a digest
  std::string digest;  // "sha256:…" or empty

  std::string Name() const;      // domain/path
  std::string ToString() const;  // domain/path:tag or domain/path@digest
  // What a registry's manifests endpoint wants: the digest or the tag.
  const std::string& Object() const { return digest.empty() ? tag : digest; }
};

absl::StatusOr<Reference> ParseReference(absl::string_view text);

// The host that serves `domain`'s API: docker.io is a name, not a server.
std::string RegistryHost(const std::string& domain);

// True for "sha256:" + 64 hex digits and for 64 bare ones: an image id.
bool IsImageId(absl::string_view text);

// True for hex digits, with or without "sha256:", of which there are 3 to 64:
// what may be the beginning of an image id.
bool IsImageIdPrefix(absl::string_view text);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REFERENCE_H_
