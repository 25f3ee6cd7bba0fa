#include "agent/objects/selector.h"

namespace crisp::agent {

Selector Selector::ReadMap(ObjectReader& parent, const char* name) {
  Selector out;
  ReadMatchLabels(parent, name, &out.requirements_);
  return out;
}

Selector Selector::ReadLabelSelector(ObjectReader& selector) {
  Selector out;
  agent::ReadLabelSelector(selector, &out.requirements_);
  return out;
}

Selector Selector::Of(const Json& controller) {
  FieldErrors errors;
  Selector out;
  ObjectReader spec(At(controller, "spec"), "spec", &errors);
  if (TextAt(controller, "kind") == "ReplicationController") {
    out = ReadMap(spec, "selector");
  } else {
    spec.Object("selector", [&](ObjectReader& selector) { out = ReadLabelSelector(selector); });
  }
  if (errors.empty() && !out.empty()) return out;
  // Better no pod than every pod.
  Selector none;
  none.requirements_.push_back({"", Requirement::Op::kExists, {}});
  return none;
}

bool Selector::Matches(const Labels& labels) const { return AllMatch(requirements_, labels); }

bool Selector::Matches(const Json& object) const {
  return AllMatch(requirements_, At(object, "metadata.labels"));
}

}  // namespace crisp::agent
