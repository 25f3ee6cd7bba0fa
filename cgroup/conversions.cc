#include "cgroup/conversions.h"

#include <algorithm>
#include <cmath>

namespace crisp::cgroup {

uint64_t WeightOfShares(uint64_t shares) {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  // The parabola on logarithmic scales through (2, 1), (1024, 100), (262144, 10000).
  const double l = std::log2(static_cast<double>(shares));
  return static_cast<uint64_t>(std::ceil(std::pow(10, (l * l + 125 * l) / 612 - 7.0 / 34)));
}

uint64_t LinearWeightOfShares(uint64_t shares) {
  return shares <= 2 ? 1 : 1 + (std::min<uint64_t>(shares, 262144) - 2) * 9999 / 262142;
}

uint64_t IoWeightOf(uint64_t blkio_weight) {
  return blkio_weight <= 10 ? 1 : 1 + (blkio_weight - 10) * 9999 / 990;
}

absl::StatusOr<std::optional<int64_t>> SwapAlone(const Resources& resources) {
  if (!resources.memory_swap) {
    // Memory without bound and a bound on swap that was made for less do not go together.
    if (resources.memory_limit == -1) return -1;
    return std::nullopt;
  }
  const int64_t both = *resources.memory_swap;
  if (both == -1) return -1;
  if (!resources.memory_limit || *resources.memory_limit == -1) {
    return absl::InvalidArgumentError("memory.swap: is set without a memory limit");
  }
  if (both < *resources.memory_limit) {
    return absl::InvalidArgumentError("memory.swap: is below memory.limit, which it includes");
  }
  return both - *resources.memory_limit;
}

}  // namespace crisp::cgroup
