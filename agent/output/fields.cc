#include "agent/output/fields.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace crisp::cli {
namespace {

const Json& Null() {
  static const Json* const null = new Json();
  return *null;
}

const Json& EmptyList() {
  static const Json* const list = new Json(Json::array());
  return *list;
}

}  // namespace

const Json& Field(const Json& value, absl::string_view path) {
  const Json* at = &value;
  if (path.empty()) return *at;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    if (!at->is_object()) return Null();
    const auto found = at->find(std::string(name));
    if (found == at->end()) return Null();
    at = &*found;
  }
  return *at;
}

const Json& Named(const Json& value, absl::string_view path, absl::string_view name) {
  for (const Json& item : Items(value, path)) {
    if (Text(item, "name") == name) return item;
  }
  return Null();
}

std::string Text(const Json& value, absl::string_view path) {
  const Json& field = Field(value, path);
  return field.is_string() ? field.get<std::string>() : "";
}

int64_t Number(const Json& value, absl::string_view path, int64_t otherwise) {
  const Json& field = Field(value, path);
  return field.is_number_integer() ? field.get<int64_t>() : otherwise;
}

bool IsTrue(const Json& value, absl::string_view path) {
  const Json& field = Field(value, path);
  return field.is_boolean() && field.get<bool>();
}

const Json& Items(const Json& value, absl::string_view path) {
  const Json& field = Field(value, path);
  return field.is_array() ? field : EmptyList();
}

std::map<std::string, std::string> TextMap(const Json& value, absl::string_view path) {
  std::map<std::string, std::string> out;
  const Json& field = Field(value, path);
  if (!field.is_object()) return out;
  for (const auto& item : field.items()) out[item.key()] = AnyText(item.value());
  return out;
}

std::string AnyText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Time TimeOf(const Json& value, absl::string_view path) {
  const std::string text = Text(value, path);
  absl::Time time;
  std::string error;
  if (text.empty() || !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::InfinitePast();
  }
  return time;
}

std::string Name(const Json& object) { return Text(object, "metadata.name"); }
std::string Namespace(const Json& object) { return Text(object, "metadata.namespace"); }

std::string JoinLabels(const std::map<std::string, std::string>& labels, const char* none) {
  if (labels.empty()) return none;
  return absl::StrJoin(labels, ",", absl::PairFormatter("="));
}

std::string SelectorText(const Json& selector) {
  const bool plain = !selector.is_object() ||
                     (!selector.contains("matchLabels") && !selector.contains("matchExpressions"));
  std::vector<std::string> parts;
  for (const auto& [key, value] : TextMap(selector, plain ? "" : "matchLabels")) {
    parts.push_back(absl::StrCat(key, "=", value));
  }
  for (const Json& each : Items(selector, "matchExpressions")) {
    const std::string key = Text(each, "key"), op = Text(each, "operator");
    std::vector<std::string> values;
    for (const Json& value : Items(each, "values")) values.push_back(AnyText(value));
    const std::string set = absl::StrCat(" (", absl::StrJoin(values, ","), ")");
    if (op == "Exists") parts.push_back(key);
    if (op == "DoesNotExist") parts.push_back("!" + key);
    if (op == "In") parts.push_back(absl::StrCat(key, " in", set));
    if (op == "NotIn") parts.push_back(absl::StrCat(key, " notin", set));
  }
  return parts.empty() ? "<none>" : absl::StrJoin(parts, ",");
}

std::string ConditionStatus(const Json& object, absl::string_view type) {
  for (const Json& condition : Items(object, "status.conditions")) {
    if (Text(condition, "type") == type) return Text(condition, "status");
  }
  return "";
}

}  // namespace crisp::cli
