// -l as kubectl takes it: "app=web,tier!=db,env in (a,b),zone notin (c),gpu,!old".
#ifndef CRISP_AGENT_OUTPUT_LABEL_SELECTOR_H_
#define CRISP_AGENT_OUTPUT_LABEL_SELECTOR_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

class LabelSelector {
 public:
  // Empty text selects everything. InvalidArgument names the requirement.
  static absl::StatusOr<LabelSelector> Parse(absl::string_view text);

  bool Matches(const std::map<std::string, std::string>& labels) const;
  template <typename Labels>
  bool Matches(const Labels& labels) const {
    return Matches(std::map<std::string, std::string>(labels.begin(), labels.end()));
  }

 private:
  enum class Op { kIn, kNotIn, kExists, kAbsent };
  struct Requirement {
    std::string key;
    Op op;
    std::set<std::string> values;
  };
  static absl::StatusOr<Requirement> ParseOne(absl::string_view text);

  std::vector<Requirement> requirements_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OUTPUT_LABEL_SELECTOR_H_
