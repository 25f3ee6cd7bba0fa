// An image's config: what it wants run and how, and which layers it is made of.
// The bytes are hostile: everything is typed, bounded and checked here once.
//
// Threads: values.
// Errors:  InvalidArgument names the field.
#ifndef CRISP_CRI_IMAGES_IMAGE_CONFIG_H_
#define CRISP_CRI_IMAGES_IMAGE_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cri/images/platform.h"

namespace crisp::cri {

struct ImageConfig {
  std::string id;  // Digest of the config's bytes: CRI's image id.
  Platform platform;
  std::vector<std::string> env;  // "KEY=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::string user;  // "uid", "name", "uid:gid", …; as written in the image.
  std::string stop_signal;
  std::vector<std::string> volumes;        // Paths; unchecked beyond being text.
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::map<std::string, std::string> labels;
  std::vector<std::string> diff_ids;  // Uncompressed digests, bottom layer first.
};

// Parses the config whose bytes have the digest `id`.
absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view json, const std::string& id);

// `user` as CRI's Image message wants it: a number, or else a name. The group
// part is dropped. Digits that are no valid uid stay a name, never become one.
struct ImageUser {
  absl::optional<int64_t> uid;
  std::string username;
};
ImageUser UserOf(absl::string_view user);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_CONFIG_H_
