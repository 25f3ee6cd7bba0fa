#include "agent/commands/object_output.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/commands/targets.h"
#include "agent/manifest/yaml.h"
#include "agent/output/fields.h"
#include "agent/output/table.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

using Kind = OutputFormat::Kind;

absl::Status ParseColumns(absl::string_view text, OutputFormat* format) {
  for (const absl::string_view column : absl::StrSplit(text, ',')) {
    const size_t colon = column.find(':');
    if (colon == absl::string_view::npos || colon == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("unexpected custom-columns spec: ", absl::Utf8SafeCEscape(column),
                       ", expected <header>:<json-path-expr>"));
    }
    CRISP_ASSIGN_OR_RETURN(JsonPath path, JsonPath::Parse(column.substr(colon + 1)));
    format->columns.emplace_back(std::string(column.substr(0, colon)), std::move(path));
  }
  return absl::OkStatus();
}

std::string FormatColumns(const OutputFormat& format, const std::vector<Json>& objects, bool head) {
  std::vector<Row> rows;
  if (head) {
    rows.emplace_back();
    for (const auto& [name, path] : format.columns) rows.back().push_back(name);
  }
  for (const Json& object : objects) {
    rows.emplace_back();
    for (const auto& [name, path] : format.columns) {
      const std::vector<const Json*> found = path.Find(object);
      rows.back().push_back(found.empty()
                                ? "<none>"
                                : absl::StrJoin(found, ",", [](std::string* out, const Json* each) {
                                    out->append(AnyText(*each));
                                  }));
    }
  }
  return FormatTable(rows);
}

}  // namespace

absl::StatusOr<OutputFormat> OutputFormat::Parse(const std::string& text) {
  OutputFormat format;
  absl::string_view rest = text;
  if (text.empty()) return format;
  for (const auto& [word, kind] :
       {std::pair{"wide", Kind::kWide}, std::pair{"yaml", Kind::kYaml},
        std::pair{"json", Kind::kJson}, std::pair{"name", Kind::kName}}) {
    if (text == word) {
      format.kind = kind;
      return format;
    }
  }
  if (absl::ConsumePrefix(&rest, "jsonpath=")) {
    format.kind = Kind::kJsonPath;
    CRISP_ASSIGN_OR_RETURN(format.path, JsonPathTemplate::Parse(rest));
    return format;
  }
  if (absl::ConsumePrefix(&rest, "jsonpath-file=")) {
    format.kind = Kind::kJsonPath;
    CRISP_ASSIGN_OR_RETURN(const std::string source, ReadFile(std::string(rest)));
    CRISP_ASSIGN_OR_RETURN(format.path, JsonPathTemplate::Parse(source));
    return format;
  }
  if (absl::ConsumePrefix(&rest, "custom-columns=")) {
    format.kind = Kind::kColumns;
    CRISP_RETURN_IF_ERROR(ParseColumns(rest, &format));
    return format;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unable to match a printer suitable for the output format \"", absl::Utf8SafeCEscape(text),
      "\", allowed formats are: custom-columns=,json,jsonpath=,jsonpath-file=,name,"
      "wide,yaml"));
}

std::string YamlText(const Json& value) { return agent::ToYaml(nlohmann::ordered_json(value)); }

std::string JsonText(const Json& value) {
  return absl::StrCat(value.dump(4, ' ', false, Json::error_handler_t::replace), "\n");
}

std::string FormatObjects(const OutputFormat& format, const std::vector<Json>& objects, bool single,
                          bool head) {
  if (format.kind == Kind::kName) {
    std::string out;
    for (const Json& object : objects) absl::StrAppend(&out, ShownName(object), "\n");
    return out;
  }
  if (format.kind == Kind::kColumns) return FormatColumns(format, objects, head);
  Json whole = {{"apiVersion", "v1"}, {"kind", "List"}, {"metadata", {{"resourceVersion", ""}}}};
  whole["items"] = objects;
  if (single && objects.size() == 1) whole = objects[0];
  switch (format.kind) {
    case Kind::kYaml:
      return YamlText(whole);
    case Kind::kJsonPath:
      return format.path->Render(whole);
    default:
      return JsonText(whole);
  }
}

}  // namespace crisp::cli
