// Which of its completions the pods of an Indexed job stand for.
//
// Threads: free functions over values.
#ifndef CRISP_AGENT_CONTROLLERS_COMPLETION_INDEXES_H_
#define CRISP_AGENT_CONTROLLERS_COMPLETION_INDEXES_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/store/object.h"

namespace crisp::agent {

using Indexes = std::set<int64_t>;

bool IsIndexed(const Json& job);

// "0,2-4" and back. What is no such text is empty.
Indexes ParseIndexes(absl::string_view text);
std::string FormatIndexes(const Indexes& indexes);

// The index that the pod says it has, if it is one of the job's.
std::optional<int64_t> IndexOf(const Json& job, const Json& pod);

// The lowest `count` indexes of the job that are in neither set.
std::vector<int64_t> NextIndexes(const Json& job, const Indexes& completed, const Indexes& active,
                                 int64_t count);

// Makes `pod`, from the job's template, the one of that index: its name, hostname,
// annotation, label and the variable JOB_COMPLETION_INDEX of its containers.
void SetIndex(const Json& job, int64_t index, Json* pod);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_COMPLETION_INDEXES_H_
