// What a CNI plugin printed, checked before anything believes it.
//
// Threads: free functions.
// Errors:  Internal, with an excerpt of what was printed: it is the plugin that
//          is wrong, not the caller. Errors that a plugin reports keep their code
//          and words.
#ifndef CRISP_NETNS_CNI_RESULT_H_
#define CRISP_NETNS_CNI_RESULT_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::netns {

// The result in the output of a successful ADD. `version` is filled in where the
// plugin left cniVersion out. An error object is an error even after exit 0.
absl::StatusOr<nlohmann::json> ParseResult(absl::string_view output, absl::string_view version);

// The error in the output of a plugin that exited with `exit_code`; `stderr_text`
// stands in when the output is no error object.
absl::Status ParseError(absl::string_view output, absl::string_view stderr_text, int exit_code);

// The versions in the output of VERSION.
absl::StatusOr<std::vector<std::string>> ParseVersions(absl::string_view output);

// Addresses of the pod's interface in a final result, the first IPv4 one first.
// `is_pod_netns` says whether a path that the result names is the pod's namespace.
// Internal if there is none, too many, one that does not parse or cannot be a
// pod's, or if the interface lies in another namespace.
absl::StatusOr<std::vector<std::string>> PodIps(
    const nlohmann::json& result, absl::string_view interface_name,
    const std::function<bool(const std::string&)>& is_pod_netns);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_RESULT_H_
