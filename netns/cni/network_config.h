// A CNI network: a list of plugins, as one configuration file says it.
//
// Threads: a value.
// Errors:  InvalidArgument names the field; FailedPrecondition for a version that
//          crisp does not speak.
#ifndef CRISP_NETNS_CNI_NETWORK_CONFIG_H_
#define CRISP_NETNS_CNI_NETWORK_CONFIG_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "netns/cni/version.h"

namespace crisp::netns {

struct NetworkConfig {
  std::string name;
  CniVersion version;                         // Chosen from `offered_versions`.
  std::vector<std::string> offered_versions;  // cniVersions and cniVersion.
  bool disable_check = false;
  bool disable_gc = false;
  std::vector<nlohmann::json> plugins;  // Objects with a valid "type".
  std::string bytes;                    // The whole list as JSON, for the cache.

  // Nothing but loopback plugins: not a network for pods, whose loopback is set
  // up without a plugin.
  bool IsLoopbackOnly() const;
};

// Parses a configuration list.
absl::StatusOr<NetworkConfig> ParseNetworkList(absl::string_view text);

// Parses the configuration of one plugin and makes a list of it.
absl::StatusOr<NetworkConfig> ParseSinglePlugin(absl::string_view text);

// Picks the one or the other by the ending of `file_name`.
absl::StatusOr<NetworkConfig> ParseNetworkFile(absl::string_view file_name, absl::string_view text);

// The name of a plugin becomes the name of an executable: letters, digits, '_',
// '.' and '-', starting with a letter or digit. InvalidArgument.
absl::Status ValidatePluginType(absl::string_view type);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_NETWORK_CONFIG_H_
