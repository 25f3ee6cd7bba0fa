// Which objects a List or a Watch is about.
//
// Values. Threads: const calls from any.
// Errors:  InvalidArgument names the selector.
#ifndef CRISP_AGENT_SERVICE_SELECTION_H_
#define CRISP_AGENT_SERVICE_SELECTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/objects/selector.h"
#include "agent/store/object_store.h"
#include "api/agent/v1/agent.pb.h"

namespace crisp::agent {

// "involvedObject.name=web,type!=Normal": text comparisons over paths of the object. What
// is not there reads as "".
class FieldSelector {
 public:
  static absl::StatusOr<FieldSelector> Parse(absl::string_view text);
  bool Matches(const Json& object) const;

 private:
  struct Requirement {
    std::string path, value;
    bool equal = true;
  };
  std::vector<Requirement> requirements_;
};

class ObjectSelection {
 public:
  static absl::StatusOr<ObjectSelection> Read(const crisp::agent::v1::Selection& selection);

  const std::string& kind() const { return kind_; }
  bool Matches(const Json& object) const;
  // In namespace and name order; Events by when they happened last.
  std::vector<ObjectPtr> Find(const ObjectStore& store) const;

 private:
  std::string kind_, ns_, name_;
  Selector labels_;
  FieldSelector fields_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SERVICE_SELECTION_H_
