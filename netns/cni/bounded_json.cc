#include "netns/cni/bounded_json.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/shallow_json.h"

namespace crisp::netns {

absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text) {
  if (!IsShallowJson(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON nests deeper than ", kMaxJsonDepth, " levels"));
  }
  try {
    nlohmann::json value = nlohmann::json::parse(text.begin(), text.end());
    if (!value.is_object()) return absl::InvalidArgumentError("not a JSON object");
    return value;
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", Excerpt(error.what())));
  }
}

std::string StringMember(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

absl::StatusOr<bool> FlagMember(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return false;
  if (it->is_boolean()) return it->get<bool>();
  if (*it == "true") return true;
  if (*it == "false") return false;
  return absl::InvalidArgumentError(absl::StrCat(key, " is neither true nor false"));
}

std::string JsonText(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Excerpt(absl::string_view text, size_t max_bytes) {
  const bool cut = text.size() > max_bytes;
  return absl::StrCat(absl::CEscape(text.substr(0, max_bytes)), cut ? "..." : "");
}

}  // namespace crisp::netns
