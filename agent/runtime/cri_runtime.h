// PodRuntime over CRI.
//
// Ownership: has a connection of its own, so that ending its calls ends nobody else's.
// Threads:   safe.
#ifndef CRISP_AGENT_RUNTIME_CRI_RUNTIME_H_
#define CRISP_AGENT_RUNTIME_CRI_RUNTIME_H_

#include <memory>

#include "agent/runtime/pod_runtime.h"

namespace crisp::agent {

class CriClient;

// At the address of `client`.
std::unique_ptr<PodRuntime> MakeCriRuntime(const CriClient& client);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_CRI_RUNTIME_H_
