// Which pods a controller calls its own, or a user asks for with -l, by their labels.
//
// Values. Threads: const calls from any.
#ifndef CRISP_AGENT_OBJECTS_SELECTOR_H_
#define CRISP_AGENT_OBJECTS_SELECTOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/manifest/labels.h"
#include "agent/manifest/object_reader.h"
#include "agent/store/object.h"

namespace crisp::agent {

class Selector {
 public:
  // {app: web}, in the field `name` of `parent`: what a ReplicationController has.
  // Errors go to the reader's, as below.
  static Selector ReadMap(ObjectReader& parent, const char* name);
  // {matchLabels: ..., matchExpressions: [...]}.
  static Selector ReadLabelSelector(ObjectReader& selector);
  // kubectl's -l: "app=web,tier!=db,env in (a,b),zone notin (c),gpu,!old". Empty text
  // selects everything; InvalidArgument names the requirement.
  static absl::StatusOr<Selector> Parse(absl::string_view text);
  // The selector of a stored controller, which was valid when it was stored.
  static Selector Of(const Json& controller);

  // Without requirements; it matches everything.
  bool empty() const { return requirements_.empty(); }

  bool Matches(const Labels& labels) const;
  // By metadata.labels.
  bool Matches(const Json& object) const;

 private:
  static absl::StatusOr<Requirement> ParseOne(absl::string_view text);

  std::vector<Requirement> requirements_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_SELECTOR_H_
