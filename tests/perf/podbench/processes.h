// Which processes belong to a pod, and what they cost: /proc read as anybody could.
//
// A container's processes are told by a variable in their environment (target.h); the
// shim is the parent of the first of them, and what else the shim has as children
// holds the pod (pause).
//
// Threads: free functions.
// Errors:  NotFound if there is no such process; errno kept.
#ifndef CRISP_TESTS_PERF_PODBENCH_PROCESSES_H_
#define CRISP_TESTS_PERF_PODBENCH_PROCESSES_H_

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::podbench {

// The first process, by its parentage, of the container with that serial number.
absl::StatusOr<pid_t> FindWorkload(int serial);

struct Overhead {
  std::set<pid_t> shims;
  std::set<pid_t> others;  // Children of the shims that are no workload: pause.
};
absl::StatusOr<Overhead> FindOverhead(const std::vector<int>& serials);

// Proportional set size: a page that n processes share counts 1/n for each.
absl::StatusOr<int64_t> PssBytes(pid_t pid);

// Resident set size, as the kernel counts it.
absl::StatusOr<int64_t> RssBytes(pid_t pid);

// User and system time of all threads so far, those that ended included.
absl::StatusOr<absl::Duration> CpuTime(pid_t pid);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_PROCESSES_H_
