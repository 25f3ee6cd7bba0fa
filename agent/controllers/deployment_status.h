// The status of a Deployment: counts, and the conditions Available and Progressing.
#ifndef CRISP_AGENT_CONTROLLERS_DEPLOYMENT_STATUS_H_
#define CRISP_AGENT_CONTROLLERS_DEPLOYMENT_STATUS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/controllers/deployment_controller.h"

namespace crisp::agent {

// How many of a deployment's pods may be above and below its replicas.
struct RollingBounds {
  int64_t surge = 0, unavailable = 0;
};
RollingBounds BoundsOf(const Json& deployment);

// Sums of the sets.
int64_t SpecReplicas(const std::vector<ObjectPtr>& sets);
int64_t StatusSum(const std::vector<ObjectPtr>& sets, const char* field);

// All pods are of the template, there, and available.
bool IsComplete(const Json& deployment);

// Writes it, as of `deployment`, which is what was acted on. Answers when the progress
// deadline wants a look.
absl::StatusOr<absl::Duration> UpdateDeploymentStatus(const ControllerContext& context,
                                                      const Json& deployment,
                                                      const ReplicaSets& sets);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_DEPLOYMENT_STATUS_H_
