#include "cri/images/json_fields.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

using nlohmann::json;

absl::Status NotA(const std::string& name, absl::string_view type) {
  return absl::InvalidArgumentError(absl::StrCat("field \"", name, "\" is not ", type));
}

const json* Find(const json& object, const std::string& name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> Text(const json& value, const std::string& name) {
  if (!value.is_string()) return NotA(name, "text");
  std::string text = value.get<std::string>();
  if (text.find('\0') != std::string::npos) return NotA(name, "text without NUL");
  return text;
}

}  // namespace

absl::StatusOr<json> ParseJsonObject(absl::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON of ", text.size(), " bytes; at most ", kMaxJsonBytes, " are read"));
  }
  json parsed = ParseShallowJson(text);
  if (parsed.is_discarded()) {
    return absl::InvalidArgumentError(IsShallowJson(text) ? "not valid JSON"
                                                          : "the JSON nests too deep");
  }
  if (!parsed.is_object()) return absl::InvalidArgumentError("the JSON is not an object");
  return parsed;
}

absl::StatusOr<std::string> TextField(const json& object, const std::string& name) {
  const json* value = Find(object, name);
  if (value == nullptr) return std::string();
  return Text(*value, name);
}

absl::StatusOr<int64_t> IntField(const json& object, const std::string& name) {
  const json* value = Find(object, name);
  if (value == nullptr) return 0;
  if (!value->is_number_integer()) return NotA(name, "a whole number");
  if (value->is_number_unsigned() &&
      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return NotA(name, "a number of 63 bits");
  }
  return value->get<int64_t>();
}

absl::StatusOr<std::vector<std::string>> TextsField(const json& object, const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const json* value, ArrayField(object, name));
  std::vector<std::string> out;
  if (value == nullptr) return out;
  for (const json& item : *value) {
    CRISP_ASSIGN_OR_RETURN(std::string text, Text(item, name));
    out.push_back(std::move(text));
  }
  return out;
}

absl::StatusOr<std::map<std::string, std::string>> TextMapField(const json& object,
                                                                const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const json* value, ObjectField(object, name));
  std::map<std::string, std::string> out;
  if (value == nullptr) return out;
  for (const auto& [key, item] : value->items()) {
    CRISP_ASSIGN_OR_RETURN(out[key], Text(item, absl::StrCat(name, ".", key)));
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> KeysField(const json& object, const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const json* value, ObjectField(object, name));
  std::vector<std::string> out;
  if (value == nullptr) return out;
  for (const auto& [key, item] : value->items()) {
    if (key.find('\0') != std::string::npos) return NotA(name, "keyed by text without NUL");
    out.push_back(key);
  }
  return out;
}

absl::StatusOr<const json*> ObjectField(const json& object, const std::string& name) {
  const json* value = Find(object, name);
  if (value != nullptr && !value->is_object()) return NotA(name, "an object");
  return value;
}

absl::StatusOr<const json*> ArrayField(const json& object, const std::string& name) {
  const json* value = Find(object, name);
  if (value != nullptr && !value->is_array()) return NotA(name, "an array");
  return value;
}

}  // namespace crisp::cri
