#include "agent/manifest/labels.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/names.h"

namespace crisp::agent {
namespace {

using Op = Requirement::Op;

// What stands beside an operator.
void CheckValues(ObjectReader& expression, Op op, const std::vector<std::string>& values) {
  switch (op) {
    case Op::kIn:
    case Op::kNotIn:
      if (values.empty()) {
        expression.Fail("values",
                        "Required value: must be specified when `operator` is 'In' or 'NotIn'");
      }
      return;
    case Op::kExists:
    case Op::kDoesNotExist:
      if (!values.empty()) {
        expression.Forbidden("values",
                             "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
      return;
    case Op::kGt:
    case Op::kLt:
      if (values.size() != 1) {
        expression.Fail("values",
                        "Required value: must be specified single value when `operator` is 'Lt' "
                        "or 'Gt'");
      }
      return;
  }
}

void ReadRequirement(ObjectReader& expression, const std::map<std::string, Op>& operators,
                     Requirement* out) {
  if (expression.Require("key", &out->key)) {
    const std::string wrong = LabelKeyError(out->key);
    if (!wrong.empty()) expression.Invalid("key", out->key, wrong);
  }
  std::string op;
  std::vector<std::string> values;
  const bool given = expression.Require("operator", &op);
  expression.Read("values", &values);
  out->values.insert(values.begin(), values.end());
  if (!given) return;
  const auto known = operators.find(op);
  if (known == operators.end()) {
    return expression.Invalid("operator", op, "not a valid selector operator");
  }
  out->op = known->second;
  CheckValues(expression, out->op, values);
}

// `value_of`: const std::string*(const std::string& key), null if there is no such label.
template <typename F>
bool AllMet(const std::vector<Requirement>& requirements, F value_of) {
  return std::all_of(requirements.begin(), requirements.end(),
                     [&](const Requirement& one) { return one.Matches(value_of(one.key)); });
}

}  // namespace

bool Requirement::Matches(const std::string* value) const {
  switch (op) {
    case Op::kIn:
      return value != nullptr && values.count(*value) > 0;
    case Op::kNotIn:  // A label that is absent is not among them.
      return value == nullptr || values.count(*value) == 0;
    case Op::kExists:
      return value != nullptr;
    case Op::kDoesNotExist:
      return value == nullptr;
    case Op::kGt:
    case Op::kLt: {
      int64_t ours = 0, theirs = 0;
      if (value == nullptr || values.empty() || !absl::SimpleAtoi(*value, &ours) ||
          !absl::SimpleAtoi(*values.begin(), &theirs)) {
        return false;
      }
      return op == Op::kGt ? ours > theirs : ours < theirs;
    }
  }
  return false;
}

bool AllMatch(const std::vector<Requirement>& requirements, const Labels& labels) {
  return AllMet(requirements, [&](const std::string& key) {
    const auto found = labels.find(key);
    return found == labels.end() ? nullptr : &found->second;
  });
}

bool AllMatch(const std::vector<Requirement>& requirements, const nlohmann::json& labels) {
  return AllMet(requirements, [&](const std::string& key) -> const std::string* {
    if (!labels.is_object()) return nullptr;
    const auto found = labels.find(key);
    return found == labels.end() ? nullptr : found->get_ptr<const std::string*>();
  });
}

void CheckLabels(ObjectReader& object, const char* field, const Labels& labels) {
  for (const auto& [key, value] : labels) {
    if (const std::string wrong = LabelKeyError(key); !wrong.empty()) {
      object.Invalid(field, key, wrong);
    }
    if (const std::string wrong = LabelValueError(value); !wrong.empty()) {
      object.Invalid(field, value, wrong);
    }
  }
}

void ReadMatchLabels(ObjectReader& parent, const char* name, std::vector<Requirement>* out) {
  Labels labels;
  parent.Read(name, &labels);
  CheckLabels(parent, name, labels);
  for (const auto& [key, value] : labels) out->push_back({key, Op::kIn, {value}});
}

void ReadLabelSelector(ObjectReader& selector, std::vector<Requirement>* out) {
  static const std::map<std::string, Op> kOperators = {{"In", Op::kIn},
                                                       {"NotIn", Op::kNotIn},
                                                       {"Exists", Op::kExists},
                                                       {"DoesNotExist", Op::kDoesNotExist}};
  ReadMatchLabels(selector, "matchLabels", out);
  selector.Each("matchExpressions", [&](ObjectReader& expression) {
    ReadRequirement(expression, kOperators, &out->emplace_back());
  });
}

void ReadNodeRequirement(ObjectReader& expression, Requirement* out) {
  static const std::map<std::string, Op> kOperators = {
      {"In", Op::kIn},         {"NotIn", Op::kNotIn},
      {"Exists", Op::kExists}, {"DoesNotExist", Op::kDoesNotExist},
      {"Gt", Op::kGt},         {"Lt", Op::kLt}};
  ReadRequirement(expression, kOperators, out);
}

}  // namespace crisp::agent
