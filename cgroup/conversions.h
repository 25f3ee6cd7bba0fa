// Numbers of cgroup v1's scale on the scale of cgroup v2.
//
// Threads: pure functions.
#ifndef CRISP_CGROUP_CONVERSIONS_H_
#define CRISP_CGROUP_CONVERSIONS_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "cgroup/resources.h"

namespace crisp::cgroup {

// cpu.shares (2 to 262144) to cpu.weight (1 to 10000), so that the minima, the
// defaults (1024 and 100) and the maxima correspond, as runc and crun have it.
uint64_t WeightOfShares(uint64_t shares);

// The same as runtimes before 2025 have it (runc 1.3, crun 1.22): linear, so that 1024 are 39.
uint64_t LinearWeightOfShares(uint64_t shares);

// blkio.weight (10 to 1000) to io.weight (1 to 10000), linear.
uint64_t IoWeightOf(uint64_t blkio_weight);

// Swap alone, in bytes; -1: unlimited; absent: not said. InvalidArgument for a swap
// limit without a memory limit, or below it.
absl::StatusOr<std::optional<int64_t>> SwapAlone(const Resources& resources);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_CONVERSIONS_H_
