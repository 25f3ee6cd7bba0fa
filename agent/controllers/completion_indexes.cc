#include "agent/controllers/completion_indexes.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace crisp::agent {
namespace {

constexpr char kIndex[] = "batch.kubernetes.io/job-completion-index";
constexpr char kVariable[] = "JOB_COMPLETION_INDEX";

int64_t CompletionsOf(const Json& job) { return NumberAt(job, "spec.completions"); }

void AddVariable(Json* container) {
  if (!container->is_object()) return;
  Json& env = (*container)["env"];
  if (!env.is_array()) env = Json::array();
  const bool there = std::any_of(env.begin(), env.end(),
                                 [](const Json& one) { return TextAt(one, "name") == kVariable; });
  if (there) return;  // The template's own word stands.
  env.push_back(
      {{"name", kVariable},
       {"valueFrom",
        {{"fieldRef", {{"fieldPath", absl::StrCat("metadata.annotations['", kIndex, "']")}}}}}});
}

}  // namespace

bool IsIndexed(const Json& job) { return TextAt(job, "spec.completionMode") == "Indexed"; }

Indexes ParseIndexes(absl::string_view text) {
  Indexes out;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, '-');
    int64_t first = 0, last = 0;
    if (ends.size() > 2 || !absl::SimpleAtoi(ends[0], &first) ||
        !absl::SimpleAtoi(ends.back(), &last)) {
      return {};
    }
    for (int64_t index = first; index <= last; ++index) out.insert(out.end(), index);
  }
  return out;
}

std::string FormatIndexes(const Indexes& indexes) {
  std::vector<std::string> parts;
  for (auto it = indexes.begin(); it != indexes.end();) {
    const int64_t first = *it;
    int64_t last = first;
    while (++it != indexes.end() && *it == last + 1) last = *it;
    // Two neighbours are no range, as Kubernetes writes them.
    if (last - first > 1) {
      parts.push_back(absl::StrCat(first, "-", last));
    } else {
      parts.push_back(absl::StrCat(first));
      if (last > first) parts.push_back(absl::StrCat(last));
    }
  }
  return absl::StrJoin(parts, ",");
}

std::optional<int64_t> IndexOf(const Json& job, const Json& pod) {
  int64_t index = 0;
  if (!absl::SimpleAtoi(AnnotationOf(pod, kIndex), &index)) return std::nullopt;
  if (index < 0 || index >= CompletionsOf(job)) return std::nullopt;
  return index;
}

std::vector<int64_t> NextIndexes(const Json& job, const Indexes& completed, const Indexes& active,
                                 int64_t count) {
  std::vector<int64_t> out;
  for (int64_t index = 0; index < CompletionsOf(job); ++index) {
    if (static_cast<int64_t>(out.size()) >= count) break;
    if (completed.count(index) == 0 && active.count(index) == 0) out.push_back(index);
  }
  return out;
}

void SetIndex(const Json& job, int64_t index, Json* pod) {
  const std::string name = absl::StrCat(TextAt(job, "metadata.name"), "-", index);
  Json& meta = (*pod)["metadata"];
  meta["generateName"] = absl::StrCat(name, "-");
  meta["annotations"][kIndex] = absl::StrCat(index);
  meta["labels"][kIndex] = absl::StrCat(index);
  Json& spec = (*pod)["spec"];
  spec["hostname"] = name;
  for (const char* list : {"initContainers", "containers"}) {
    const auto containers = spec.find(list);
    if (containers == spec.end() || !containers->is_array()) continue;
    for (Json& container : *containers) AddVariable(&container);
  }
}

}  // namespace crisp::agent
