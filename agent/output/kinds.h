// The kinds that the agent knows, and their names on a command line.
#ifndef CRISP_AGENT_OUTPUT_KINDS_H_
#define CRISP_AGENT_OUTPUT_KINDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cli {

struct KindInfo {
  const char* kind;      // "Deployment"
  const char* singular;  // "deployment"
  const char* plural;
  const char* short_name;  // "deploy"; may be empty.
  const char* group;       // "apps"; empty for the core.
  const char* version;     // "apps/v1"
  bool namespaced;
  bool in_all;  // What "all" means.

  // "deployment.apps", as it stands before a slash.
  std::string Qualified() const;
};

// In the order in which "all" and api-resources show them.
const std::vector<KindInfo>& AllKinds();

// A word of the command line ("po", "pods", "Pod", "deployments.apps"), nullptr if it is none.
const KindInfo* FindKind(absl::string_view word);
// InvalidArgument with kubectl's words for another one.
absl::StatusOr<const KindInfo*> ParseKind(absl::string_view word);
// Of an object's kind field.
const KindInfo* KindOfObject(absl::string_view kind);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_KINDS_H_
