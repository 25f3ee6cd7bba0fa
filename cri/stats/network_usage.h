// The counters of a pod's network interfaces.
//
// Threads: free functions.
// Errors:  NotFound when the process is not, or no longer, in that network namespace.
#ifndef CRISP_CRI_STATS_NETWORK_USAGE_H_
#define CRISP_CRI_STATS_NETWORK_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

struct InterfaceUsage {
  std::string name;
  uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};

// Of all but the loopback interface, read through `pid`, a process in the namespace that
// is pinned at `netns_path`.
absl::StatusOr<std::vector<InterfaceUsage>> ReadNetworkUsage(pid_t pid,
                                                             const std::string& netns_path);

// The text of /proc/<pid>/net/dev.
std::vector<InterfaceUsage> ParseNetDev(absl::string_view text);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_NETWORK_USAGE_H_
