// How many list and status calls a second a server answers that has many containers, and
// what memory they cost it. The client takes the bytes and does not decode them, and is no
// gRPC library (raw_client.h): what is measured is the server.
//
// Threads: MeasureLists runs its own, one a connection, and returns when they have ended.
// Errors:  the first failed call ends the measurement; what it made is removed.
#ifndef CRISP_TESTS_PERF_PODBENCH_LISTS_H_
#define CRISP_TESTS_PERF_PODBENCH_LISTS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {

// Calls under way at any time: enough that a server does not wait for each.
inline constexpr int kListConnections = 4;
inline constexpr int kCallsPerConnection = 16;

struct ListRate {
  double calls_per_second = 0;
  double calls_per_cpu_second = 0;  // Of the daemon's.
  size_t bytes = 0;                 // Of an answer.
};

struct ListFigures {
  std::map<std::string, ListRate> rates;  // By the name of the call.
  // What the daemon's resident memory grew by, a container: its part of a pod of ten
  // included, its shim not.
  double bytes_per_container = 0;
};

// `containers` are made, not started but for one a pod; each question is asked for `duration`.
absl::StatusOr<ListFigures> MeasureLists(Target& target, const PodOptions& options, int containers,
                                         absl::Duration duration);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_LISTS_H_
