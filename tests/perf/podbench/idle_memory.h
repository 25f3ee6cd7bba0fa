// What a pod that does nothing costs: the shim and whatever holds the pod, without
// the workload and without the daemon.
#ifndef CRISP_TESTS_PERF_PODBENCH_IDLE_MEMORY_H_
#define CRISP_TESTS_PERF_PODBENCH_IDLE_MEMORY_H_

#include "absl/status/statusor.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {

struct IdleMemory {
  double pod_bytes = 0;              // PSS of shim and pause, a pod.
  double pod_bytes_after_execs = 0;  // The same after ten ExecSyncs in each pod.
  double daemon_bytes = 0;           // PSS of the server, with all pods there.
};

// Starts `pods` pods, waits for `settle`, and adds up. All pods are gone afterwards.
absl::StatusOr<IdleMemory> MeasureIdleMemory(Target& target, const PodOptions& options, int pods,
                                             absl::Duration settle);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_IDLE_MEMORY_H_
