// The kinds of objects that the agent knows.
//
// Threads: free functions over constants.
#ifndef CRISP_AGENT_OBJECTS_KINDS_H_
#define CRISP_AGENT_OBJECTS_KINDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "agent/store/object.h"

namespace crisp::agent {

struct KindInfo {
  const char* kind;         // "Deployment"
  const char* api_version;  // "apps/v1"
  bool namespaced = true;
  bool made_by_agent = false;  // Nobody else creates or changes one.
  bool controller = false;     // Has spec.template, and pods of its own.
};

absl::Span<const KindInfo> AllKinds();

// InvalidArgument for a kind that is not known.
absl::StatusOr<const KindInfo*> FindKind(absl::string_view kind);

// The key of an object as a user names it: "" is the namespace "default", and none
// where the kind has none.
absl::StatusOr<ObjectKey> ResolveKey(absl::string_view kind, absl::string_view ns,
                                     absl::string_view name);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_KINDS_H_
