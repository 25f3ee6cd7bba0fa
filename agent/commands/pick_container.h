// Which container of a pod a command means.
#ifndef CRISP_AGENT_COMMANDS_PICK_CONTAINER_H_
#define CRISP_AGENT_COMMANDS_PICK_CONTAINER_H_

#include <string>

#include "absl/status/statusor.h"
#include "agent/commands/session.h"
#include "agent/pod_view.h"

namespace crisp::agent {

// `wanted`, which must be one of the pod's containers; if empty the first of its
// spec, with a note on stderr when there are others. NotFound lists the names.
absl::StatusOr<std::string> PickContainer(const PodView& pod, const std::string& wanted,
                                          Session& session);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_COMMANDS_PICK_CONTAINER_H_
