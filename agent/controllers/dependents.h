// Pods and other objects that a controller makes, takes over and takes away.
//
// Threads: free functions, from the controllers' thread.
// Errors:  the store's. What happened is told as events of the owner.
#ifndef CRISP_AGENT_CONTROLLERS_DEPENDENTS_H_
#define CRISP_AGENT_CONTROLLERS_DEPENDENTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/controllers/controller.h"

namespace crisp::agent {

// The objects of `kind` that are the owner's. On the way it adopts those without a
// controller that its selector matches, and lets go of those that it does not match.
absl::StatusOr<std::vector<ObjectPtr>> ClaimDependents(const ControllerContext& context,
                                                       const Json& owner, const std::string& kind);

// "replicaset-controller": the source of a kind's events.
std::string ComponentOf(const Json& owner);

// The pod that spec.template of `owner` says, with `labels` (a map, or null) besides; not made yet.
Json PodOfTemplate(const Json& owner, const Json& labels = nullptr);
absl::StatusOr<ObjectPtr> CreatePod(const ControllerContext& context, const Json& owner, Json pod);
// Both at once.
absl::StatusOr<ObjectPtr> CreatePodFor(const ControllerContext& context, const Json& owner,
                                       const Json& labels = nullptr);
absl::Status DeletePodOf(const ControllerContext& context, const Json& owner, const Json& pod);

// A short text that is the same for the same template: goes into names and labels.
std::string TemplateHash(const Json& pod_template);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_DEPENDENTS_H_
