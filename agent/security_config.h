// securityContext as CRI's messages: the container's word over the pod's, and
// Kubernetes' defaults where neither speaks. Seccomp is the exception: without a
// word it is RuntimeDefault (a privileged container: Unconfined).
#ifndef CRISP_AGENT_SECURITY_CONFIG_H_
#define CRISP_AGENT_SECURITY_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"
#include "agent/manifest/pod.h"
#include "agent/pod_config.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::agent {

// Where localhostProfile is looked up.
inline constexpr char kSeccompRoot[] = "/var/lib/crisp/seccomp";

void FillSandboxSecurity(const Pod& pod, const PodInstance& instance,
                         runtime::v1::LinuxSandboxSecurityContext* out);

// FailedPrecondition if runAsNonRoot cannot be kept.
absl::Status FillContainerSecurity(const Pod& pod, const Container& container,
                                   const PodInstance& instance, const ImageFacts& image,
                                   runtime::v1::LinuxContainerSecurityContext* out);

// Every id inside, and whose it is on the host.
void AddIds(uint32_t first_host_id,
            google::protobuf::RepeatedPtrField<runtime::v1::IDMapping>* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SECURITY_CONFIG_H_
