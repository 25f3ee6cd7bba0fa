// Labels, and the requirements that select by them: matchLabels and matchExpressions of
// label selectors, and the terms of a node affinity.
//
// Ownership: plain data. Threads: free functions; const calls from any.
// Errors:    of reading, to the reader's errors.
#ifndef CRISP_AGENT_MANIFEST_LABELS_H_
#define CRISP_AGENT_MANIFEST_LABELS_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/manifest/object_reader.h"

namespace crisp::agent {

using Labels = std::map<std::string, std::string>;

// Fails for each key and value of the map in `field` that can be no label.
void CheckLabels(ObjectReader& object, const char* field, const Labels& labels);

struct Requirement {
  enum class Op { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };
  std::string key;
  Op op = Op::kIn;
  std::set<std::string> values;

  // `value`: the label's, or null if there is none.
  bool Matches(const std::string* value) const;
};

// True if each is met; so it is if there is none.
bool AllMatch(const std::vector<Requirement>& requirements, const Labels& labels);
// The same for labels as an object has them: a map of strings, or nothing.
bool AllMatch(const std::vector<Requirement>& requirements, const nlohmann::json& labels);

// {app: web}, in the field `name` of `parent`: one kIn each.
void ReadMatchLabels(ObjectReader& parent, const char* name, std::vector<Requirement>* out);
// {matchLabels: ..., matchExpressions: [...]}.
void ReadLabelSelector(ObjectReader& selector, std::vector<Requirement>* out);
// One of a node selector term's matchExpressions, which may compare numbers.
void ReadNodeRequirement(ObjectReader& expression, Requirement* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_LABELS_H_
