// Operating system and processor that an image is for, and the choice among many.
//
// Threads: values and free functions.
// Errors:  NotFound when an index offers nothing that this machine runs.
#ifndef CRISP_CRI_IMAGES_PLATFORM_H_
#define CRISP_CRI_IMAGES_PLATFORM_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace crisp::cri {

struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;  // "v7"; empty for the baseline of amd64 and arm64.

  std::string ToString() const;  // "linux/arm/v7"
};

// The spelling that images use: x86_64 is amd64, arm64/v8 is arm64, arm is arm/v7.
Platform Normalise(Platform platform);

// This machine.
Platform HostPlatform();

// How well `offered` runs on `host`: 0 is best; none if it does not run there.
// A newer variant runs the older ones, amd64 runs 386, arm64 runs 32-bit arm.
absl::optional<int> RankPlatform(const Platform& host, const Platform& offered);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_PLATFORM_H_
