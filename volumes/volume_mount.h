// A container's volumeMounts as values, parsed from Kubernetes' own JSON, as
// strictly as volume_source.h.
//
// Threads: values and free functions.
#ifndef CRISP_VOLUMES_VOLUME_MOUNT_H_
#define CRISP_VOLUMES_VOLUME_MOUNT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::volumes {

struct MountRequest {
  std::string name;
  std::string mount_path;  // Absolute, clean.
  std::string sub_path;    // At most one of these two; as written.
  std::string sub_path_expr;
  bool read_only = false;
  bool recursive_read_only = false;
  std::string propagation = "private";  // "private", "rslave" or "rshared".
  std::string field;                    // "io.crisp.volume-mounts: volumeMounts[0]"
};

// `text` is a JSON array; "" is no mounts.
absl::StatusOr<std::vector<MountRequest>> ParseVolumeMounts(absl::string_view text);

// Replaces $(NAME) by env's value and "$$" by "$", as Kubernetes does. A name that
// is missing or empty is InvalidArgument "missing value for NAME".
absl::StatusOr<std::string> ExpandSubPathExpr(absl::string_view expr,
                                              const std::map<std::string, std::string>& env);

// A relative path below a volume's root, cleaned: no '..' element, no NUL, elements
// of at most 255 bytes and 4096 in all. The message does not repeat the path.
absl::StatusOr<std::string> CleanSubPath(absl::string_view path);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_VOLUME_MOUNT_H_
