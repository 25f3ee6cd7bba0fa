// What the way from a container's write(2) to its log file costs the runtime.
#ifndef CRISP_TESTS_PERF_PODBENCH_LOGS_H_
#define CRISP_TESTS_PERF_PODBENCH_LOGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {

struct LogThroughput {
  double bytes_per_cpu_second = 0;  // Of the server and of the pod's shim together.
  double bytes_per_second = 0;      // By the clock on the wall.
};

// A container writes a file of `megabytes` MiB, in lines of 100 bytes, to its standard
// output; the measurement ends when the last line is in the log. The number of lines
// in the log is checked. Files go below `scratch`, which must exist.
absl::StatusOr<LogThroughput> MeasureLogs(Target& target, const PodOptions& options, int megabytes,
                                          const std::string& scratch);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_LOGS_H_
