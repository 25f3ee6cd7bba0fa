#include "agent/manifest/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"

namespace crisp::agent {
namespace {

constexpr size_t kMaxLabel = 63;
constexpr size_t kMaxSubdomain = 253;
constexpr size_t kMaxPortName = 15;

std::string TooLong(size_t most) {
  return absl::StrCat("must be no more than ", most, " characters");
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool IsQualifiedPart(absl::string_view part) {
  if (part.empty() || !absl::ascii_isalnum(part.front()) || !absl::ascii_isalnum(part.back())) {
    return false;
  }
  return std::all_of(part.begin(), part.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

std::string LabelNameError(absl::string_view name) {
  if (name.size() > kMaxLabel) return TooLong(kMaxLabel);
  if (IsDnsLabel(name)) return "";
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
         "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
         "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

std::string SubdomainError(absl::string_view name) {
  if (name.size() > kMaxSubdomain) return TooLong(kMaxSubdomain);
  if (IsDnsSubdomain(name)) return "";
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
         "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "
         "regex used for validation is "
         "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

std::string LabelKeyError(absl::string_view key) {
  const size_t slash = key.find('/');
  absl::string_view name = key;
  if (slash != absl::string_view::npos) {
    name = key.substr(slash + 1);
    if (slash == 0) return "prefix part must be non-empty";
    if (absl::StrContains(name, '/')) {
      return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', with an "
             "optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    }
    const std::string prefix = SubdomainError(key.substr(0, slash));
    if (!prefix.empty()) return absl::StrCat("prefix part ", prefix);
  }
  if (name.empty()) return "name part must be non-empty";
  if (name.size() > kMaxLabel) return absl::StrCat("name part ", TooLong(kMaxLabel));
  if (IsQualifiedPart(name)) return "";
  return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "
         "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
         "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

std::string LabelValueError(absl::string_view value) {
  if (value.size() > kMaxLabel) return TooLong(kMaxLabel);
  if (value.empty() || IsQualifiedPart(value)) return "";
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
         "or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
         "'my_value',  or '12345', regex used for validation is "
         "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

std::string DataKeyError(absl::string_view key) {
  if (key.size() > kMaxSubdomain) return TooLong(kMaxSubdomain);
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (key.empty() || !plain) {
    return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
           "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
           "'[-._a-zA-Z0-9]+')";
  }
  if (key == "." || key == "..") return absl::StrCat("must not be '", key, "'");
  if (absl::StartsWith(key, "..")) return "must not start with '..'";
  return "";
}

std::string PortNameError(absl::string_view name) {
  if (name.size() > kMaxPortName) return TooLong(kMaxPortName);
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
  if (!plain) return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  if (std::none_of(name.begin(), name.end(), absl::ascii_islower)) {
    return "must contain at least one letter (a-z)";
  }
  if (absl::StrContains(name, "--")) return "must not contain consecutive hyphens";
  if (name.front() == '-' || name.back() == '-') {
    return "must not begin or end with a hyphen";
  }
  return "";
}

}  // namespace crisp::agent
