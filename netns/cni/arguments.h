// What plugins are told about a pod beside its namespace: CNI_ARGS and the values
// behind the capabilities that a plugin declares.
//
// Threads: free functions.
// Errors:  InvalidArgument names what the pod got wrong.
#ifndef CRISP_NETNS_CNI_ARGUMENTS_H_
#define CRISP_NETNS_CNI_ARGUMENTS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "netns/attachment.h"

namespace crisp::netns {

using CniArgs = std::vector<std::pair<std::string, std::string>>;

// The pairs of CNI_ARGS that Kubernetes runtimes pass. A value with ';' or '='
// would smuggle in another pair, and is refused.
absl::StatusOr<CniArgs> MakeCniArgs(const PodAttachment& pod);

// "K=V;K=V".
std::string CniArgsText(const CniArgs& args);

// Capability name to value: portMappings, bandwidth, dns, cgroupPath and
// io.kubernetes.cri.pod-annotations, each only if the pod has it.
absl::StatusOr<nlohmann::json> MakeCapabilityArgs(const PodAttachment& pod);

// The "runtimeConfig" of `plugin`: those of `capability_args` whose capability it
// declares true. Empty object if none.
nlohmann::json RuntimeConfigFor(const nlohmann::json& plugin,
                                const nlohmann::json& capability_args);

// A Kubernetes quantity such as "10M" or "1.5Gi" as bits a second, rounded up.
// InvalidArgument outside 1k to 1P.
absl::StatusOr<uint64_t> ParseBandwidth(absl::string_view text);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_ARGUMENTS_H_
