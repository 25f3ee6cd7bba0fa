// Takes away what belongs to nobody any more: objects all of whose owners are gone.
#ifndef CRISP_AGENT_CONTROLLERS_GARBAGE_COLLECTOR_H_
#define CRISP_AGENT_CONTROLLERS_GARBAGE_COLLECTOR_H_

#include "agent/controllers/controller.h"

namespace crisp::agent {

class GarbageCollector : public Controller {
 public:
  explicit GarbageCollector(const ControllerContext& context) : context_(context) {}
  // `key`: of the dependent.
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  const ControllerContext& context_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_GARBAGE_COLLECTOR_H_
