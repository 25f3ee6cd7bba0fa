// Endpoints: where the pods of a controller, or a pod by itself, can be reached.
//
// One object for the name of the topmost owner (a Deployment's, not that of its
// ReplicaSets), with the address of each pod that is ready and the ports that its
// containers declare. Pods that are not ready are listed apart.
#ifndef CRISP_AGENT_CONTROLLERS_ENDPOINTS_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_ENDPOINTS_CONTROLLER_H_

#include "agent/controllers/controller.h"

namespace crisp::agent {

class EndpointsController : public Controller {
 public:
  explicit EndpointsController(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  const ControllerContext& context_;
};

// The name under which a pod's addresses stand; empty while an owner of it is gone, and the
// pod about to go.
std::string EndpointsNameOf(const ObjectStore& store, const Json& pod);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_ENDPOINTS_CONTROLLER_H_
