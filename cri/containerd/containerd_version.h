// containerd's version strings, and which versions crisp works with.
#ifndef CRISP_CRI_CONTAINERD_CONTAINERD_VERSION_H_
#define CRISP_CRI_CONTAINERD_CONTAINERD_VERSION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::cri {

struct ContainerdVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  std::string suffix;  // "-rc.1", "~ds1", "+unknown": does not count in comparisons.
};

// "v1.7.2", "1.6.20~ds1", "2.0.0-rc.3"; InvalidArgument for anything else.
absl::StatusOr<ContainerdVersion> ParseContainerdVersion(const std::string& text);

// FailedPrecondition, in words for the operator, for a version below 1.6, for
// 2.1.0 and for one that cannot be read.
absl::Status CheckContainerdVersion(const std::string& text);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_CONTAINERD_VERSION_H_
