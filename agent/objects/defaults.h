// What Kubernetes' API server fills in where a manifest says nothing.
//
// Fields of a wrong type are left alone: validation names them.
// Threads: free functions.
#ifndef CRISP_AGENT_OBJECTS_DEFAULTS_H_
#define CRISP_AGENT_OBJECTS_DEFAULTS_H_

#include "agent/store/object.h"

namespace crisp::agent {

void SetDefaults(Json* object);

// The spec of a pod, or of a template.
void SetPodSpecDefaults(Json* spec);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_DEFAULTS_H_
