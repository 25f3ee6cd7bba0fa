// The specs of the kinds that make pods.
#ifndef CRISP_AGENT_OBJECTS_CONTROLLER_VALIDATION_H_
#define CRISP_AGENT_OBJECTS_CONTROLLER_VALIDATION_H_

#include <string>

#include "agent/manifest/object_reader.h"

namespace crisp::agent {

// Reads the whole spec of a Deployment, ReplicaSet, ReplicationController, DaemonSet or
// Job; failures go to the reader's Status.
void ValidateControllerSpec(const std::string& kind, ObjectReader& spec);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_CONTROLLER_VALIDATION_H_
