#include "agent/objects/selector.h"

#include <utility>

#include "agent/manifest/names.h"
#include "agent/manifest/pod_reader.h"

namespace crisp::agent {

bool Selector::Requirement::Matches(const std::string* value) const {
  switch (op) {
    case Op::kIn:
      return value != nullptr && values.count(*value) > 0;
    case Op::kNotIn:  // A label that is absent is not among them.
      return value == nullptr || values.count(*value) == 0;
    case Op::kExists:
      return value != nullptr;
    case Op::kAbsent:
      return value == nullptr;
  }
  return false;
}

Selector Selector::ReadMap(ObjectReader& parent, const char* name) {
  Selector out;
  std::map<std::string, std::string> labels;
  parent.Read(name, &labels);
  CheckLabels(parent, name, labels);
  for (const auto& [key, value] : labels) out.requirements_.push_back({key, Op::kIn, {value}});
  return out;
}

Selector Selector::ReadLabelSelector(ObjectReader& selector) {
  Selector out = ReadMap(selector, "matchLabels");
  selector.Each("matchExpressions", [&](ObjectReader& expression) {
    Requirement requirement;
    std::string op;
    std::vector<std::string> values;
    const bool keyed = expression.Require("key", &requirement.key);
    expression.ReadChoice("operator", {"DoesNotExist", "Exists", "In", "NotIn"}, &op);
    expression.Read("values", &values);
    if (!expression.Has("operator")) expression.Fail("operator", "Required value");
    const bool listed = op == "In" || op == "NotIn";
    if (listed && values.empty()) {
      expression.Fail("values",
                      "Required value: must be specified when `operator` is 'In' or 'NotIn'");
    }
    if (!op.empty() && !listed && !values.empty()) {
      expression.Forbidden("values",
                           "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
    if (const std::string wrong = LabelKeyError(requirement.key); keyed && !wrong.empty()) {
      expression.Invalid("key", requirement.key, wrong);
    }
    requirement.op = op == "In"       ? Op::kIn
                     : op == "NotIn"  ? Op::kNotIn
                     : op == "Exists" ? Op::kExists
                                      : Op::kAbsent;
    requirement.values.insert(values.begin(), values.end());
    out.requirements_.push_back(std::move(requirement));
  });
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
  none.requirements_.push_back({"", Op::kExists, {}});
  return none;
}

bool Selector::Matches(const std::map<std::string, std::string>& labels) const {
  for (const Requirement& requirement : requirements_) {
    const auto found = labels.find(requirement.key);
    if (!requirement.Matches(found == labels.end() ? nullptr : &found->second)) return false;
  }
  return true;
}

bool Selector::Matches(const Json& object) const {
  const Json& labels = At(object, "metadata.labels");
  for (const Requirement& requirement : requirements_) {
    const std::string* value = nullptr;
    if (labels.is_object()) {
      const auto found = labels.find(requirement.key);
      if (found != labels.end()) value = found->get_ptr<const std::string*>();
    }
    if (!requirement.Matches(value)) return false;
  }
  return true;
}

}  // namespace crisp::agent
