#include "netns/cni/version.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

constexpr CniVersion kSupported[] = {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 3, 1},
                                     {0, 4, 0}, {1, 0, 0}, {1, 1, 0}};

bool ParseNumber(absl::string_view text, int* out) {
  return !text.empty() && text.size() <= 4 &&
         text.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(text, out);
}

}  // namespace

absl::StatusOr<CniVersion> CniVersion::Parse(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  CniVersion version;
  if (parts.size() != 3 || !ParseNumber(parts[0], &version.major) ||
      !ParseNumber(parts[1], &version.minor) || !ParseNumber(parts[2], &version.patch)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cniVersion '", Excerpt(text, 40), "' is not a version such as 1.0.0"));
  }
  return version;
}

std::string CniVersion::ToString() const { return absl::StrCat(major, ".", minor, ".", patch); }

bool IsSupportedCniVersion(CniVersion version) {
  for (const CniVersion supported : kSupported) {
    if (supported == version) return true;
  }
  return false;
}

absl::StatusOr<CniVersion> HighestCommonCniVersion(const std::vector<std::string>& offered) {
  bool found = false;
  CniVersion best;
  for (const std::string& text : offered) {
    const auto version = CniVersion::Parse(text);
    if (!version.ok() || !IsSupportedCniVersion(*version)) continue;
    if (!found || best < *version) best = *version;
    found = true;
  }
  if (!found) {
    return absl::FailedPreconditionError(
        absl::StrCat("no supported cniVersion (0.1.0 to 1.1.0) among: ",
                     Excerpt(absl::StrJoin(offered, ", "), 200)));
  }
  return best;
}

}  // namespace crisp::netns
