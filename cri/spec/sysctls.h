// Sysctls of a pod: only those that live in a namespace which the pod owns.
//
// Threads: free functions.
// Errors:  InvalidArgument naming `config.linux.sysctls[name]`.
#ifndef CRISP_CRI_SPEC_SYSCTLS_H_
#define CRISP_CRI_SPEC_SYSCTLS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// The pod's sysctls with dots as separators, and the two defaults of a pod with a
// network namespace of its own: ports below 1024 and ping need no privilege there.
absl::StatusOr<std::map<std::string, std::string>> ResolveSysctls(
    const runtime::v1::PodSandboxConfig& config);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SYSCTLS_H_
