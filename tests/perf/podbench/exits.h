// How long after a container's process has ended CRI says so.
#ifndef CRISP_TESTS_PERF_PODBENCH_EXITS_H_
#define CRISP_TESTS_PERF_PODBENCH_EXITS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "tests/perf/podbench/bench.h"

namespace crisp::podbench {

// In every round each target's container is killed from outside; the time runs from
// its end, as its pidfd tells, to the first ContainerStatus that says EXITED, asked
// again without a pause. The result has the order of `targets`.
absl::StatusOr<std::vector<Samples>> MeasureExits(const Targets& targets, const PodOptions& options,
                                                  int rounds);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_EXITS_H_
