// Versions of the CNI specification.
#ifndef CRISP_NETNS_CNI_VERSION_H_
#define CRISP_NETNS_CNI_VERSION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::netns {

struct CniVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;

  static absl::StatusOr<CniVersion> Parse(absl::string_view text);  // InvalidArgument
  std::string ToString() const;

  friend bool operator<(CniVersion a, CniVersion b) {
    if (a.major != b.major) return a.major < b.major;
    if (a.minor != b.minor) return a.minor < b.minor;
    return a.patch < b.patch;
  }
  friend bool operator==(CniVersion a, CniVersion b) { return !(a < b) && !(b < a); }
  friend bool operator>=(CniVersion a, CniVersion b) { return !(a < b); }
};

// What a version brought.
inline constexpr CniVersion kCniCheck{0, 4, 0};   // CHECK, and prevResult on DEL.
inline constexpr CniVersion kCniStatus{1, 1, 0};  // STATUS and GC.

// Whether crisp speaks `version`: one of 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0.
bool IsSupportedCniVersion(CniVersion version);

// The highest version among `offered` that crisp speaks; FailedPrecondition lists
// what was offered.
absl::StatusOr<CniVersion> HighestCommonCniVersion(const std::vector<std::string>& offered);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_VERSION_H_
