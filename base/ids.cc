#include "base/ids.h"

#include <sys/random.h>

#include <cctype>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace crisp {
namespace {

constexpr size_t kMaxIdentifier = 76;

bool IsLowerAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

}  // namespace

std::string RandomHex(int digits) {
  std::string bytes(static_cast<size_t>(digits + 1) / 2, '\0');
  // Requests up to 256 bytes are never cut short once the pool is ready (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    std::abort();
  }
  return absl::BytesToHexString(bytes).substr(0, static_cast<size_t>(digits));
}

std::string NewId() { return RandomHex(64); }

absl::Status ValidateIdentifier(absl::string_view field, absl::string_view id) {
  if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(field, " is empty"));
  if (id.size() > kMaxIdentifier) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is longer than ", kMaxIdentifier, " characters"));
  }
  bool separator = true;  // The first character must not be one.
  for (const char c : id) {
    if (absl::ascii_isalnum(c)) {
      separator = false;
    } else if ((c == '.' || c == '_' || c == '-') && !separator) {
      separator = true;
    } else {
      separator = true;
      break;
    }
  }
  if (separator) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " '", absl::CEscape(id),
                     "' is not letters and digits joined by single '.', '_' or '-'"));
  }
  return absl::OkStatus();
}

bool IsDnsLabel(absl::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  if (!IsLowerAlnum(name.front()) || !IsLowerAlnum(name.back())) return false;
  for (const char c : name) {
    if (!IsLowerAlnum(c) && c != '-') return false;
  }
  return true;
}

bool IsDnsSubdomain(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (absl::string_view label : absl::StrSplit(name, '.')) {
    if (label.empty() || !IsLowerAlnum(label.front()) || !IsLowerAlnum(label.back())) return false;
    for (const char c : label) {
      if (!IsLowerAlnum(c) && c != '-') return false;
    }
  }
  return true;
}

}  // namespace crisp
