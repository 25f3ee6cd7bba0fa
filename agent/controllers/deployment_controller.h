// Deployment: one ReplicaSet a template; a new template is rolled out by making its set
// grow while the others shrink.
//
// One Reconcile is one step; the changes of the sets that it waits for bring the next.
#ifndef CRISP_AGENT_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "agent/controllers/controller.h"

namespace crisp::agent {

// The sets of a deployment.
struct ReplicaSets {
  ObjectPtr current;           // Of the template as it is; null before it is made.
  std::vector<ObjectPtr> old;  // All others, the oldest first.

  std::vector<ObjectPtr> All() const;
};

class DeploymentController : public Controller {
 public:
  explicit DeploymentController(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  absl::StatusOr<ReplicaSets> FindSets(const Json& deployment);
  absl::Status MakeCurrent(const Json& deployment, ReplicaSets* sets);
  absl::Status SetRevision(const ObjectKey& key, const ReplicaSets& sets);
  absl::Status Scale(const Json& deployment, const Json& set, int64_t replicas);

  absl::Status ScalePaused(const Json& deployment, const ReplicaSets& sets);
  absl::Status Recreate(const Json& deployment, ReplicaSets* sets);
  absl::Status Roll(const Json& deployment, ReplicaSets* sets);
  // Shrinks the old sets as far as availability allows. True if one shrank.
  absl::Status ShrinkOld(const Json& deployment, const ReplicaSets& sets, int64_t unavailable);
  absl::Status RemoveOldRevisions(const Json& deployment, const ReplicaSets& sets);

  const ControllerContext& context_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_DEPLOYMENT_CONTROLLER_H_
