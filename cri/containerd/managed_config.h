// The configuration of the containerd that crisp runs for itself.
#ifndef CRISP_CRI_CONTAINERD_MANAGED_CONFIG_H_
#define CRISP_CRI_CONTAINERD_MANAGED_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

struct ManagedConfig {
  std::string root_dir;      // containerd's `root`
  std::string state_dir;     // containerd's `state`
  std::string grpc_socket;   // absolute, fits a socket address
  std::string ttrpc_socket;  // likewise
  std::string log_level = "warn";
};

// The text of a config.toml, format version 2, which containerd 1.6 to 2.x read.
// Plugins that crisp has no use for are disabled: the CRI plugin and its parts
// above all, and what costs start-up time or writes outside the two directories.
// InvalidArgument for a path that is not absolute or does not fit.
absl::StatusOr<std::string> RenderManagedConfig(const ManagedConfig& config);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_MANAGED_CONFIG_H_
