#include "cri/images/reference.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxNameLength = 255;
constexpr size_t kMaxTagLength = 128;
constexpr size_t kShortestIdPrefix = 3;
constexpr size_t kHexDigits = 64;
constexpr char kDefaultDomain[] = "docker.io";

bool IsLowerHex(absl::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

bool IsLowerAlnum(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

// Runs of [a-z0-9] joined by one '.', one or two '_', or any number of '-'.
bool IsPathComponent(absl::string_view part) {
  if (part.empty() || !IsLowerAlnum(part.front()) || !IsLowerAlnum(part.back())) return false;
  for (size_t i = 0; i < part.size();) {
    if (IsLowerAlnum(part[i])) {
      ++i;
      continue;
    }
    const char separator = part[i];
    size_t run = 0;
    while (i < part.size() && part[i] == separator) ++i, ++run;
    const size_t longest = separator == '.' ? 1 : separator == '_' ? 2 : kMaxNameLength;
    if (separator != '.' && separator != '_' && separator != '-') return false;
    if (run > longest || !IsLowerAlnum(part[i])) return false;
  }
  return true;
}

bool IsPort(absl::string_view port) {
  if (port.empty() || port.size() > 5) return false;
  int value = 0;
  for (const char c : port) {
    if (!absl::ascii_isdigit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value > 0 && value < 65536;
}

bool IsHostLabel(absl::string_view label) {
  if (label.empty() || !absl::ascii_isalnum(label.front()) || !absl::ascii_isalnum(label.back())) {
    return false;
  }
  for (const char c : label) {
    if (!absl::ascii_isalnum(c) && c != '-') return false;
  }
  return true;
}

bool IsDomain(absl::string_view domain) {
  if (absl::StartsWith(domain, "[")) {  // An IPv6 address.
    const size_t end = domain.find(']');
    if (end == absl::string_view::npos || end < 3) return false;
    for (const char c : domain.substr(1, end - 1)) {
      if (!absl::ascii_isxdigit(c) && c != ':') return false;
    }
    absl::string_view rest = domain.substr(end + 1);
    return rest.empty() || (absl::ConsumePrefix(&rest, ":") && IsPort(rest));
  }
  const size_t colon = domain.find(':');
  if (colon != absl::string_view::npos) {
    if (!IsPort(domain.substr(colon + 1))) return false;
    domain = domain.substr(0, colon);
  }
  for (absl::string_view label : absl::StrSplit(domain, '.')) {
    if (!IsHostLabel(label)) return false;
  }
  return true;
}

bool LooksLikeDomain(absl::string_view first) {
  if (first == "localhost") return true;
  for (const char c : first) {
    if (c == '.' || c == ':' || absl::ascii_isupper(c)) return true;
  }
  return false;
}

bool IsTag(absl::string_view tag) {
  if (tag.empty() || tag.size() > kMaxTagLength) return false;
  for (const char c : tag) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '.' && c != '-') return false;
  }
  return tag.front() != '.' && tag.front() != '-';
}

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("image reference \"", absl::CHexEscape(text.substr(0, 300)), "\": ", why));
}

}  // namespace

std::string Reference::Name() const { return absl::StrCat(domain, "/", path); }

std::string Reference::ToString() const {
  return digest.empty() ? absl::StrCat(Name(), ":", tag) : absl::StrCat(Name(), "@", digest);
}

absl::StatusOr<Reference> ParseReference(absl::string_view text) {
  if (text.empty()) return Bad(text, "is empty");
  if (IsImageId(text)) return Bad(text, "is an image id, not a name");
  Reference ref;
  absl::string_view rest = text;
  if (const size_t at = rest.find('@'); at != absl::string_view::npos) {
    const absl::Status valid = ValidateDigest(rest.substr(at + 1));
    if (!valid.ok()) return Bad(text, valid.message());
    ref.digest = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
  }
  const size_t slash = rest.rfind('/');
  const size_t colon = rest.rfind(':');
  if (colon != absl::string_view::npos && (slash == absl::string_view::npos || colon > slash)) {
    if (!IsTag(rest.substr(colon + 1))) {
      return Bad(text, "the tag must be 1 to 128 of [A-Za-z0-9_.-], not beginning with . or -");
    }
    ref.tag = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  const size_t first = rest.find('/');
  if (first != absl::string_view::npos && LooksLikeDomain(rest.substr(0, first))) {
    ref.domain = std::string(rest.substr(0, first));
    ref.path = std::string(rest.substr(first + 1));
  } else {
    ref.domain = kDefaultDomain;
    ref.path = std::string(rest);
  }
  if (!IsDomain(ref.domain)) return Bad(text, "the registry is not a host name");
  if (ref.domain == "index.docker.io") ref.domain = kDefaultDomain;
  if (ref.domain == kDefaultDomain && !absl::StrContains(ref.path, "/")) {
    ref.path = absl::StrCat("library/", ref.path);
  }
  for (absl::string_view part : absl::StrSplit(ref.path, '/')) {
    if (!IsPathComponent(part)) {
      return Bad(text, "the repository must be lower-case words joined by / . _ or -");
    }
  }
  if (ref.Name().size() > kMaxNameLength) return Bad(text, "the name is over 255 characters");
  if (!ref.digest.empty()) {
    ref.tag.clear();
  } else if (ref.tag.empty()) {
    ref.tag = "latest";
  }
  return ref;
}

std::string RegistryHost(const std::string& domain) {
  return domain == kDefaultDomain ? "registry-1.docker.io" : domain;
}

bool IsImageId(absl::string_view text) {
  absl::ConsumePrefix(&text, "sha256:");
  return text.size() == kHexDigits && IsLowerHex(text);
}

bool IsImageIdPrefix(absl::string_view text) {
  absl::ConsumePrefix(&text, "sha256:");
  return text.size() >= kShortestIdPrefix && text.size() <= kHexDigits && IsLowerHex(text);
}

}  // namespace crisp::cri
