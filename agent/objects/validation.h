// Whether an object is one that the agent can carry out.
//
// Objects come defaulted. Every field is read, warned about or refused.
// Threads: free functions.
// Errors:  InvalidArgument with all that is wrong, in Kubernetes' words and ready to be printed:
//          The Pod "web" is invalid: spec.containers[0].image: Required value
#ifndef CRISP_AGENT_OBJECTS_VALIDATION_H_
#define CRISP_AGENT_OBJECTS_VALIDATION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/store/object.h"

namespace crisp::agent {

// `warnings`, if given, gets the fields that have no effect here.
absl::Status ValidateObject(const Json& object, std::vector<std::string>* warnings);

// What ValidateObject says of `object`, and that nothing changed from `old` that must
// not: selectors, a pod's spec, a job's template.
absl::Status ValidateUpdate(const Json& old, const Json& object,
                            std::vector<std::string>* warnings);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_VALIDATION_H_
