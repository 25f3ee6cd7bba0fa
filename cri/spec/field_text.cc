#include "cri/spec/field_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/utf8.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxQuoted = 128;
constexpr size_t kMaxPath = 4096;  // PATH_MAX

absl::StatusOr<std::string> CheckPath(absl::string_view field, absl::string_view path) {
  if (path.empty()) return BadField(field, "is empty");
  if (path.front() != '/') {
    return BadField(field, absl::StrCat(Quoted(path), " is not an absolute path"));
  }
  if (path.size() >= kMaxPath) return BadField(field, "is longer than a path may be");
  if (HasControl(path)) {
    return BadField(field, absl::StrCat(Quoted(path), " contains a control character"));
  }
  if (!IsUtf8(path)) return BadField(field, absl::StrCat(Quoted(path), " is not UTF-8"));
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return BadField(field, absl::StrCat(Quoted(path), " contains '..'"));
  }
  return CleanPath(path);
}

}  // namespace

absl::Status BadField(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", reason));
}

std::string Quoted(absl::string_view text) {
  const bool cut = text.size() > kMaxQuoted;
  return absl::StrCat("\"", absl::CEscape(text.substr(0, kMaxQuoted)), cut ? "...\"" : "\"");
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

absl::StatusOr<std::string> CheckContainerPath(absl::string_view field, absl::string_view path) {
  absl::StatusOr<std::string> clean = CheckPath(field, path);
  if (clean.ok() && *clean == "/") return BadField(field, "is the root directory");
  return clean;
}

absl::StatusOr<std::string> CheckHostPath(absl::string_view field, absl::string_view path) {
  return CheckPath(field, path);
}

}  // namespace crisp::cri
