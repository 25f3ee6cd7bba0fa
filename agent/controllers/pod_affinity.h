// Whether affinities let a pod be on this node: its own, and those of the pods that are there.
//
// Threads: free functions over values.
#ifndef CRISP_AGENT_CONTROLLERS_POD_AFFINITY_H_
#define CRISP_AGENT_CONTROLLERS_POD_AFFINITY_H_

#include <string>
#include <vector>

#include "agent/store/object.h"

namespace crisp::agent {

// True if the node is one that the pod's (or template's) spec asks for, by nodeSelector and
// by its required node affinity.
bool NodeMatches(const Json& pod_spec, const Json& node);

// Whatever keeps the pod from the node where `there` are, in the scheduler's words.
std::vector<std::string> AffinityReasons(const Json& pod, const std::vector<ObjectPtr>& there);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_POD_AFFINITY_H_
