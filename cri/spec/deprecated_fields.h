// Fields that CRI deprecates and kubelets within its version skew still send.
//
// Threads: free functions.
#ifndef CRISP_CRI_SPEC_DEPRECATED_FIELDS_H_
#define CRISP_CRI_SPEC_DEPRECATED_FIELDS_H_

#include <string>

#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

// "", "unconfined", "runtime/default" or "localhost/<profile>".
inline const std::string& OldApparmorProfile(
    const runtime::v1::LinuxContainerSecurityContext& security) {
  return security.apparmor_profile();
}

// The same, with "docker/default" and "localhost/<path>".
inline const std::string& OldSeccompProfile(
    const runtime::v1::LinuxContainerSecurityContext& security) {
  return security.seccomp_profile_path();
}

#pragma GCC diagnostic pop

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_DEPRECATED_FIELDS_H_
