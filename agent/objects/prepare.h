// From a manifest to an object that can be stored.
//
// Threads: free functions.
// Errors:  InvalidArgument, ready to be printed.
#ifndef CRISP_AGENT_OBJECTS_PREPARE_H_
#define CRISP_AGENT_OBJECTS_PREPARE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/store/object.h"

namespace crisp::agent {

// Checks apiVersion, kind and the shape of metadata, gives a namespace where the kind has
// one, and takes away what only the agent sets.
absl::Status PrepareManifest(Json* object);

struct NewObject {
  Json object;
  std::string uid;
};
// A prepared manifest as the object that it makes: named, defaulted, valid.
absl::StatusOr<NewObject> PrepareNew(Json object, std::vector<std::string>* warnings);

// `object`, made from `old` by a change of its manifest's part: defaulted, valid, and with
// everything of `old` that is not the user's to change.
absl::Status PrepareUpdate(const Json& old, Json* object, std::vector<std::string>* warnings);

// Guaranteed, Burstable or BestEffort, by what the containers of a pod ask for.
std::string QosClass(const Json& pod);

// `prefix` and five characters that make no words.
std::string GenerateName(const std::string& prefix);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_PREPARE_H_
