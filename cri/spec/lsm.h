// AppArmor and SELinux: what a request names, as far as this host has them.
//
// A host without AppArmor refuses a profile that is named, since the container
// would run without what it was promised, and lets RuntimeDefault pass. A host
// without SELinux ignores labels, as Kubernetes says of them.
//
// Threads: free functions; ApparmorProfile reads the kernel's list of profiles.
// Errors:  InvalidArgument naming the field.
#ifndef CRISP_CRI_SPEC_LSM_H_
#define CRISP_CRI_SPEC_LSM_H_

#include <string>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/host_facts.h"

namespace crisp::cri {

// OCI process.apparmorProfile; "" leaves the process unconfined. `runtime_default`
// is the loaded profile that RuntimeDefault means, "" if there is none.
absl::StatusOr<std::string> ApparmorProfile(
    const runtime::v1::LinuxContainerSecurityContext& security, const HostFacts& host,
    const std::string& runtime_default);

struct SelinuxLabels {
  std::string process;  // OCI process.selinuxLabel
  std::string mount;    // OCI linux.mountLabel
};

// The container's options, or without any the pod's. Empty labels: none set.
absl::StatusOr<SelinuxLabels> SelinuxLabelsOf(
    const runtime::v1::LinuxContainerSecurityContext& security,
    const runtime::v1::LinuxSandboxSecurityContext& pod, const HostFacts& host);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_LSM_H_
