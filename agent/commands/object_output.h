// -o: how objects are printed that are not a table.
#ifndef CRISP_AGENT_COMMANDS_OBJECT_OUTPUT_H_
#define CRISP_AGENT_COMMANDS_OBJECT_OUTPUT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/client/agent_client.h"
#include "agent/output/json_path.h"

namespace crisp::cli {

struct OutputFormat {
  enum class Kind { kTable, kWide, kYaml, kJson, kName, kJsonPath, kColumns };
  Kind kind = Kind::kTable;
  std::optional<JsonPathTemplate> path;                   // kJsonPath
  std::vector<std::pair<std::string, JsonPath>> columns;  // kColumns: head and path.

  // "", wide, yaml, json, name, jsonpath=..., jsonpath-file=..., custom-columns=HEAD:.path,...
  static absl::StatusOr<OutputFormat> Parse(const std::string& text);

  bool IsTable() const { return kind == Kind::kTable || kind == Kind::kWide; }
};

// Objects in a format that is no table. `single`: one object was asked for by name, and
// is not put into a List. `head`: of custom columns.
std::string FormatObjects(const OutputFormat& format, const std::vector<Json>& objects, bool single,
                          bool head = true);

std::string YamlText(const Json& value);
std::string JsonText(const Json& value);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_OBJECT_OUTPUT_H_
