#include "cri/containerd/containerd_version.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

constexpr int kFloorMajor = 1;
constexpr int kFloorMinor = 6;

// Takes the leading decimal number off `text`.
bool TakeNumber(absl::string_view* text, int* number) {
  size_t digits = 0;
  while (digits < text->size() && absl::ascii_isdigit((*text)[digits])) ++digits;
  if (digits == 0 || !absl::SimpleAtoi(text->substr(0, digits), number)) return false;
  text->remove_prefix(digits);
  return true;
}

}  // namespace

absl::StatusOr<ContainerdVersion> ParseContainerdVersion(const std::string& text) {
  absl::string_view rest = text;
  (void)absl::ConsumePrefix(&rest, "v");
  ContainerdVersion version;
  const bool numbers = TakeNumber(&rest, &version.major) && absl::ConsumePrefix(&rest, ".") &&
                       TakeNumber(&rest, &version.minor) && absl::ConsumePrefix(&rest, ".") &&
                       TakeNumber(&rest, &version.patch);
  if (!numbers || (!rest.empty() && (absl::ascii_isalnum(rest[0]) || rest[0] == '.'))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a version of the form major.minor.patch"));
  }
  version.suffix = std::string(rest);
  return version;
}

absl::Status CheckContainerdVersion(const std::string& text) {
  const absl::StatusOr<ContainerdVersion> version = ParseContainerdVersion(text);
  if (!version.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "containerd reports a version that crisp cannot judge: ", version.status().message()));
  }
  if (version->major < kFloorMajor ||
      (version->major == kFloorMajor && version->minor < kFloorMinor)) {
    return absl::FailedPreconditionError(absl::StrCat("containerd ", text,
                                                      " is too old: crisp needs ", kFloorMajor, ".",
                                                      kFloorMinor, " or newer"));
  }
  // Pre-releases of 2.1.0 carry the same unpacking code.
  if (version->major == 2 && version->minor == 1 && version->patch == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("containerd ", text,
                     " lets an image write outside its root filesystem while it is unpacked "
                     "(CVE-2025-47290): use 2.1.1 or newer"));
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri
