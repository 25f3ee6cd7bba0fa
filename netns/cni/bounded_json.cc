#include "netns/cni/bounded_json.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace crisp::netns {
namespace {

constexpr int kMaxDepth = 64;

// Whether brackets outside strings nest deeper than kMaxDepth. Text that is not
// JSON may be miscounted; the parser refuses it either way.
bool TooDeep(absl::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text) {
  if (TooDeep(text)) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON nests deeper than ", kMaxDepth, " levels"));
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
