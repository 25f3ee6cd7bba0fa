// DaemonSet: one pod on this node, if its labels are what the template asks for.
#ifndef CRISP_AGENT_CONTROLLERS_DAEMON_SET_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_DAEMON_SET_CONTROLLER_H_

#include <string>
#include <vector>

#include "agent/controllers/controller.h"

namespace crisp::agent {

class DaemonSetController : public Controller {
 public:
  explicit DaemonSetController(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  // The pods that are not to be: surplus, failed, of an earlier template.
  absl::Status DeletePods(const Json& set, const std::vector<ObjectPtr>& pods, bool wanted,
                          const std::string& hash);
  absl::StatusOr<absl::Duration> UpdateStatus(const Json& set, bool wanted,
                                              const std::string& hash);

  const ControllerContext& context_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_DAEMON_SET_CONTROLLER_H_
