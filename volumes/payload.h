// What a volume of files shall hold: relative path -> bytes and mode.
//
// Threads: values and free functions.
// Errors:  InvalidArgument names the path and the rule.
#ifndef CRISP_VOLUMES_PAYLOAD_H_
#define CRISP_VOLUMES_PAYLOAD_H_

#include <sys/types.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::volumes {

struct PayloadFile {
  std::string bytes;
  mode_t mode = 0644;
};

// Keyed by clean path.
using Payload = std::map<std::string, PayloadFile>;

// `path` cleaned ("a//b" -> "a/b"), if it may name a file in a volume: relative, no
// '..' element, not beginning with '..' (the writer's own names), elements of at most
// 255 bytes, 4096 in all.
absl::StatusOr<std::string> CleanPayloadPath(absl::string_view path);

// Adds a file. InvalidArgument if the path breaks a rule or is there already.
absl::Status AddFile(Payload& payload, absl::string_view path, PayloadFile file);

// Every path by the rule above and clean, and none both a file and a directory.
absl::Status CheckPayload(const Payload& payload);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_PAYLOAD_H_
