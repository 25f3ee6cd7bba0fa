// kubectl's JSONPath templates, as far as people use them:
//
//   {.status.podIP}   {.items[*].metadata.name}   {.status.conditions[?(@.type=="Ready")].status}
//   {range .items[*]}{.metadata.name}{"\t"}{end}   {.metadata.labels.app\.kubernetes\.io/name}
//   {..image}   {.spec.containers[0,1].name}   {.items[-1:].kind}   {.data['server.xml']}
//
// Threads: immutable after Parse.
// Errors:  InvalidArgument says what was not understood and where.
#ifndef CRISP_AGENT_OUTPUT_JSON_PATH_H_
#define CRISP_AGENT_OUTPUT_JSON_PATH_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/output/fields.h"

namespace crisp::cli {

// One path: what stands between the braces.
class JsonPath {
 public:
  // The braces and the first dot may be missing, as custom-columns and --sort-by allow.
  static absl::StatusOr<JsonPath> Parse(absl::string_view text);

  // Everything it leads to; nothing where a field is missing.
  std::vector<const Json*> Find(const Json& value) const;

  struct Step;

 private:
  std::vector<std::shared_ptr<const Step>> steps_;
};

// Text with paths in it.
class JsonPathTemplate {
 public:
  static absl::StatusOr<JsonPathTemplate> Parse(absl::string_view text);

  // Several values of one path are separated by a blank.
  std::string Render(const Json& value) const;

  struct Node;

 private:
  std::vector<std::shared_ptr<const Node>> nodes_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_JSON_PATH_H_
