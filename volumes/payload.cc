#include "volumes/payload.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"

namespace crisp::volumes {
namespace {

constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxElement = 255;

absl::Status Refuse(absl::string_view path, absl::string_view rule) {
  return absl::InvalidArgumentError(
      absl::StrCat("path '", absl::CEscape(path.substr(0, 300)), "' ", rule));
}

}  // namespace

absl::StatusOr<std::string> CleanPayloadPath(absl::string_view path) {
  if (path.empty()) return Refuse(path, "is empty");
  if (path.front() == '/') return Refuse(path, "is absolute");
  if (path.size() > kMaxPath) return Refuse(path, "is longer than 4096 bytes");
  if (path.find('\0') != absl::string_view::npos) return Refuse(path, "contains a NUL byte");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return Refuse(path, "contains '..'");
    if (part.size() > kMaxElement) return Refuse(path, "has an element longer than 255 bytes");
  }
  const std::string clean = CleanPath(path);
  if (clean == ".") return Refuse(path, "names the volume itself");
  if (clean.compare(0, 2, "..") == 0) return Refuse(path, "begins with '..', which is reserved");
  return clean;
}

absl::Status AddFile(Payload& payload, absl::string_view path, PayloadFile file) {
  CRISP_ASSIGN_OR_RETURN(std::string clean, CleanPayloadPath(path));
  if (!payload.emplace(std::move(clean), std::move(file)).second) {
    return Refuse(path, "is used twice");
  }
  return absl::OkStatus();
}

absl::Status CheckPayload(const Payload& payload) {
  for (const auto& [path, file] : payload) {
    CRISP_ASSIGN_OR_RETURN(const std::string clean, CleanPayloadPath(path));
    if (clean != path) return Refuse(path, "is not clean");
    if ((file.mode & ~static_cast<mode_t>(0777)) != 0) {
      return Refuse(path, "has a mode outside 0 to 0777");
    }
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      if (payload.count(path.substr(0, slash)) != 0) {
        return Refuse(path.substr(0, slash), "is both a file and a directory");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::volumes
