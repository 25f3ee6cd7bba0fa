// CRI's messages as the states that the pod manager reads. Pure.
#ifndef CRISP_AGENT_RUNTIME_CRI_STATES_H_
#define CRISP_AGENT_RUNTIME_CRI_STATES_H_

#include "agent/runtime/pod_state.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::agent {

SandboxState ToSandboxState(const runtime::v1::PodSandbox& listed);
ContainerState ToContainerState(const runtime::v1::Container& listed);
ContainerState ToContainerState(const runtime::v1::ContainerStatus& status,
                                const std::string& sandbox_id);
std::vector<std::string> AddressesOf(const runtime::v1::PodSandboxStatus& status);

// True for a sandbox that a node agent made.
bool IsOurs(const runtime::v1::PodSandbox& sandbox);

// The one that is to be used first: the highest attempt, then the youngest.
void SortNewestFirst(std::vector<SandboxState>* sandboxes);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_CRI_STATES_H_
