// What a request must be before anything is done for it: the shape of CRI's
// configurations, independent of the host.
//
// Threads: free functions, no side effects.
// Errors:  InvalidArgument, "<field path>: <reason>".
#ifndef CRISP_CRI_SPEC_VALIDATE_H_
#define CRISP_CRI_SPEC_VALIDATE_H_

#include "absl/status/status.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

absl::Status ValidatePodSandboxConfig(const runtime::v1::PodSandboxConfig& config);

// `pod` is the configuration that the sandbox was made with.
absl::Status ValidateContainerConfig(const runtime::v1::ContainerConfig& config,
                                     const runtime::v1::PodSandboxConfig& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_VALIDATE_H_
