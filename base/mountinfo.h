// /proc/<pid>/mountinfo as values (proc(5)).
#ifndef CRISP_BASE_MOUNTINFO_H_
#define CRISP_BASE_MOUNTINFO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp {

struct MountInfo {
  int id = 0;
  int parent_id = 0;
  std::string root;         // Path within the mounted filesystem.
  std::string mount_point;  // Octal escapes decoded.
  std::string options;
  std::vector<std::string> tags;  // "shared:1", "master:2", ...
  std::string fs_type;
  std::string source;
  std::string super_options;

  bool shared() const;
  bool slave() const;
};

absl::StatusOr<std::vector<MountInfo>> ParseMountInfo(absl::string_view text);
absl::StatusOr<std::vector<MountInfo>> ReadMountInfo(
    const std::string& path = "/proc/self/mountinfo");

// The mount that holds `path` (absolute, clean): the one mounted last among
// those with the longest mount point. Null if there is none.
const MountInfo* MountOf(const std::vector<MountInfo>& mounts, absl::string_view path);

}  // namespace crisp

#endif  // CRISP_BASE_MOUNTINFO_H_
