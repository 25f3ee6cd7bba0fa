// The two measurements: how long a pod's life takes, and how many fit in a second.
//
// Threads: each function runs its own and returns when they have ended.
// Errors:  the first failed call ends the measurement.
#ifndef CRISP_TESTS_PERF_PODBENCH_BENCH_H_
#define CRISP_TESTS_PERF_PODBENCH_BENCH_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/perf/podbench/samples.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {

using Targets = std::vector<std::unique_ptr<Target>>;

// By operation; one entry a round.
using Operations = std::map<std::string, Samples>;

// One pod at a time: in every round each target lives one pod, in random order, so
// that the machine's moods meet all alike. `warmup` rounds are not counted. The
// result has the order of `targets`.
absl::StatusOr<std::vector<Operations>> MeasureLatency(const Targets& targets,
                                                       const PodOptions& options, int rounds,
                                                       int warmup);

// Pod lives per second with `parallel` at a time, `lives` in all, target by target,
// `repeats` times in turn; the median of the repeats.
absl::StatusOr<std::vector<double>> MeasureThroughput(const Targets& targets,
                                                      const PodOptions& options, int parallel,
                                                      int lives, int repeats);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_BENCH_H_
