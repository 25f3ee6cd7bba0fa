// OCI mount options as what the kernel's mount calls take.
//
// Threads: a value and a free function.
// Errors:  InvalidArgument naming the option.
#ifndef CRISP_SHIM_LAUNCH_MOUNT_OPTIONS_H_
#define CRISP_SHIM_LAUNCH_MOUNT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp::shim {

struct MountOptions {
  // MOUNT_ATTR_*, as mount_setattr(2) takes them.
  uint64_t attr_set = 0, attr_clear = 0;
  uint64_t recursive_set = 0, recursive_clear = 0;  // "rro", "rnosuid"...
  unsigned long propagation = 0;                    // MS_SHARED...; 0: not said.
  bool propagation_recursive = false;
  bool bind = false;
  bool recursive_bind = false;
  bool idmap = false;
  bool recursive_idmap = false;
  // For the filesystem: "size=64k", "newinstance".
  std::vector<std::string> data;
  // crisp's own, docs/shim.md.
  bool from_pod = false;
  std::string subpath;
};

// `crisp_options`: whether x-crisp.* is ours to read; it is never the filesystem's.
absl::StatusOr<MountOptions> ParseMountOptions(const std::vector<std::string>& options,
                                               bool crisp_options);

// What needs no value and is no filesystem's own, for who asks what this runtime can do;
// sorted.
std::vector<std::string> MountOptionNames();

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_MOUNT_OPTIONS_H_
