#include "shim/launch/json_fields.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace crisp::shim {
namespace {

using Json = nlohmann::json;

bool IsEmpty(const Json& json) {
  if (json.is_null()) return true;
  if (json.is_boolean()) return !json.get<bool>();
  if (json.is_string()) return json.get_ref<const std::string&>().empty();
  return (json.is_array() || json.is_object()) && json.empty();
}

}  // namespace

JsonFields::JsonFields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
  if (!json.is_object()) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(path_.empty() ? "the spec" : path_, ": is not an object"));
  }
}

std::string JsonFields::PathOf(const char* name) const {
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", name);
}

std::string JsonFields::PathOf(const char* name, size_t index) const {
  return absl::StrCat(PathOf(name), "[", index, "]");
}

void JsonFields::Fail(const char* name, absl::string_view reason) {
  Check(absl::InvalidArgumentError(absl::StrCat(PathOf(name), ": ", reason)));
}

const Json* JsonFields::Find(const char* name) const {
  if (!status_.ok()) return nullptr;
  const auto it = json_.find(name);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

const Json* JsonFields::Take(const char* name) {
  known_.push_back(name);
  return Find(name);
}

void JsonFields::Read(const char* name, std::string* out) {
  const Json* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_string()) return Fail(name, "is not a string");
  *out = value->get<std::string>();
  // Every string of a spec ends up in a C string of the kernel's.
  if (out->find('\0') != std::string::npos) Fail(name, "contains a NUL byte");
}

void JsonFields::Read(const char* name, bool* out) {
  const Json* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return Fail(name, "is not true or false");
  *out = value->get<bool>();
}

void JsonFields::Read(const char* name, std::vector<std::string>* out) {
  out->clear();
  Each(name, [out](const Json& element, const std::string& path) -> absl::Status {
    if (!element.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is not a string"));
    }
    const auto& text = element.get_ref<const std::string&>();
    if (text.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": contains a NUL byte"));
    }
    out->push_back(text);
    return absl::OkStatus();
  });
}

void JsonFields::Read(const char* name, std::map<std::string, std::string>* out) {
  const Json* value = Take(name);
  if (value == nullptr) return;
  if (!value->is_object()) return Fail(name, "is not an object");
  for (const auto& [key, text] : value->items()) {
    if (!text.is_string()) return Fail(name, absl::StrCat(key, " is not a string"));
    (*out)[key] = text.get<std::string>();
  }
}

bool JsonFields::Number(const char* name, int64_t min, uint64_t max, int64_t* value,
                        uint64_t* large) {
  const Json* json = Take(name);
  if (json == nullptr) return false;
  // A number made in the program is signed, one that was parsed and is natural is not.
  if (json->is_number_unsigned()) {
    *large = json->get<uint64_t>();
    *value = static_cast<int64_t>(*large);
    if (*large <= max) return true;
  } else if (json->is_number_integer()) {
    *value = json->get<int64_t>();
    *large = static_cast<uint64_t>(*value);
    if (*value >= min && (*value < 0 || *large <= max)) return true;
  }
  Fail(name, absl::StrCat("is not a whole number between ", min, " and ", max));
  return false;
}

void JsonFields::Refuse(const char* name) {
  const Json* value = Take(name);
  if (value != nullptr && !IsEmpty(*value)) Fail(name, "is not supported");
}

absl::Status JsonFields::Done() {
  if (!status_.ok()) return status_;
  for (const auto& [key, value] : json_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path_.empty() ? "" : absl::StrCat(path_, "."),
                     absl::CHexEscape(absl::string_view(key).substr(0, 64)), ": is not supported"));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
