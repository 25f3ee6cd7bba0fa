// Places pods on this node, the only one there is.
//
// A pod that does not fit stays Pending with a FailedScheduling event, and is looked at
// again when the node or another pod changes.
#ifndef CRISP_AGENT_CONTROLLERS_SCHEDULER_H_
#define CRISP_AGENT_CONTROLLERS_SCHEDULER_H_

#include <string>

#include "agent/controllers/controller.h"

namespace crisp::agent {

class Scheduler : public Controller {
 public:
  explicit Scheduler(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  // Why the node cannot take the pod, as the event says it; empty if it can.
  std::string WhyNot(const Json& pod, const Json& node) const;

  const ControllerContext& context_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_SCHEDULER_H_
