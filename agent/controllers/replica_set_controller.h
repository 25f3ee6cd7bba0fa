// ReplicaSet and ReplicationController: as many pods as the object says.
//
// Pods that match the selector and have no controller are adopted. Surplus pods go in
// Kubernetes' order: those that do not run yet, those that are not ready, the newest.
#ifndef CRISP_AGENT_CONTROLLERS_REPLICA_SET_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_REPLICA_SET_CONTROLLER_H_

#include <vector>

#include "agent/controllers/controller.h"

namespace crisp::agent {

class ReplicaSetController : public Controller {
 public:
  explicit ReplicaSetController(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  absl::Status MakePods(const Json& set, int64_t missing);
  absl::Status DeleteSurplus(const Json& set, std::vector<ObjectPtr> active, int64_t surplus);
  absl::StatusOr<absl::Duration> UpdateStatus(const Json& set, bool failed);

  const ControllerContext& context_;
};

// The order in which surplus pods go: true if `a` goes before `b`.
bool GoesFirst(const Json& a, const Json& b);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_REPLICA_SET_CONTROLLER_H_
