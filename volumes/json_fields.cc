#include "volumes/json_fields.h"

#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace crisp::volumes {
namespace {

using nlohmann::json;

constexpr size_t kMaxText = 256 << 10;
// Deeper than any volume; bounds the stack of those who walk the value.
constexpr int kMaxDepth = 32;

}  // namespace

absl::Status FieldError(absl::string_view path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<std::vector<json>> ParseJsonArray(absl::string_view text, absl::string_view path) {
  if (text.size() > kMaxText) {
    return FieldError(path, absl::StrCat("is ", text.size(), " bytes, more than ", kMaxText));
  }
  if (text.empty()) return std::vector<json>();
  std::vector<std::set<std::string>> open_objects;
  std::string duplicate;
  bool too_deep = false;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) too_deep = true;
    if (event == json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == json::parse_event_t::key) {
      const std::string name = parsed.get<std::string>();
      if (!open_objects.back().insert(name).second && duplicate.empty()) duplicate = name;
    }
    return true;
  };
  json value = json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (value.is_discarded()) return FieldError(path, "is not JSON");
  if (too_deep) return FieldError(path, "is nested too deeply");
  if (!duplicate.empty()) {
    return FieldError(path, absl::StrCat("has the field '", absl::CEscape(duplicate), "' twice"));
  }
  if (value.is_null()) return std::vector<json>();
  if (!value.is_array()) return FieldError(path, "must be a JSON array");
  return value.get<std::vector<json>>();
}

absl::StatusOr<JsonFields> JsonFields::Of(const json& value, std::string path) {
  if (!value.is_object()) return FieldError(path, "must be an object");
  return JsonFields(value, std::move(path));
}

std::string JsonFields::PathOf(absl::string_view field) const {
  return absl::StrCat(path_, ".", field);
}

absl::Status JsonFields::Error(absl::string_view field, absl::string_view what) const {
  return FieldError(PathOf(field), what);
}

const json* JsonFields::Get(const std::string& field) {
  known_.insert(field);
  const auto found = value_->find(field);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::string> JsonFields::String(const std::string& field, std::string fallback) {
  const json* value = Get(field);
  if (value == nullptr) return fallback;
  if (!value->is_string()) return Error(field, "must be a string");
  return value->get<std::string>();
}

absl::StatusOr<std::string> JsonFields::RequiredString(const std::string& field) {
  CRISP_ASSIGN_OR_RETURN(std::string value, String(field));
  if (value.empty()) return Error(field, "is required");
  return value;
}

absl::StatusOr<bool> JsonFields::Bool(const std::string& field, bool fallback) {
  const json* value = Get(field);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return Error(field, "must be true or false");
  return value->get<bool>();
}

absl::StatusOr<absl::optional<int64_t>> JsonFields::Int(const std::string& field) {
  const json* value = Get(field);
  if (value == nullptr) return absl::optional<int64_t>();
  const bool too_big =
      value->is_number_unsigned() &&
      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!value->is_number_integer() || too_big) return Error(field, "must be an integer");
  return absl::optional<int64_t>(value->get<int64_t>());
}

absl::StatusOr<std::vector<json>> JsonFields::Array(const std::string& field) {
  const json* value = Get(field);
  if (value == nullptr) return std::vector<json>();
  if (!value->is_array()) return Error(field, "must be an array");
  return value->get<std::vector<json>>();
}

std::vector<std::string> JsonFields::Others() const {
  std::vector<std::string> others;
  for (const auto& item : value_->items()) {
    if (known_.count(item.key()) == 0 && !item.value().is_null()) others.push_back(item.key());
  }
  return others;
}

absl::Status JsonFields::NoOthers() const {
  for (const std::string& field : Others()) {
    return Error(absl::CEscape(field), "unknown field");
  }
  return absl::OkStatus();
}

}  // namespace crisp::volumes
