// YAML text as Kubernetes' JSON, and back.
//
// Reading follows what kubectl's parser accepts: several documents, anchors and
// aliases, merge keys, YAML 1.1 octal numbers (0644) and yes/no/on/off booleans.
// It is safe on hostile input: size, depth and the number of values after alias
// expansion are bounded, and a key that stands twice is an error.
//
// Threads: free functions.
// Errors:  InvalidArgument with line and column.
#ifndef CRISP_AGENT_MANIFEST_YAML_H_
#define CRISP_AGENT_MANIFEST_YAML_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

struct YamlLimits {
  size_t max_bytes = 4 << 20;            // Of the text.
  int max_depth = 64;                    // Of nested lists and maps.
  size_t max_values = 200'000;           // After aliases are expanded.
  size_t max_expanded_bytes = 16 << 20;  // Of all strings, after aliases are expanded.
};

// One JSON value per document, in order; an empty document is null.
absl::StatusOr<std::vector<nlohmann::json>> ParseYaml(absl::string_view text,
                                                      const YamlLimits& limits = {});

// What an unquoted scalar means: null, a boolean, a number, or the text itself.
nlohmann::json ResolvePlainScalar(const std::string& text);

// Block-style YAML that ParseYaml reads back as the same value; ends in a newline.
std::string ToYaml(const nlohmann::ordered_json& value);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_YAML_H_
