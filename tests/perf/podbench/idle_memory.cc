#include "tests/perf/podbench/idle_memory.h"

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "tests/perf/podbench/pods.h"
#include "tests/perf/podbench/processes.h"

namespace crisp::podbench {
namespace {

constexpr int kExecsPerPod = 10;

absl::StatusOr<double> BytesPerPod(const Pods& pods) {
  CRISP_ASSIGN_OR_RETURN(const Overhead overhead, FindOverhead(pods.serials()));
  int64_t sum = 0;
  for (const std::set<pid_t>* pids : {&overhead.shims, &overhead.others}) {
    for (const pid_t pid : *pids) {
      CRISP_ASSIGN_OR_RETURN(const int64_t bytes, PssBytes(pid));
      sum += bytes;
    }
  }
  return static_cast<double>(sum) / static_cast<double>(pods.serials().size());
}

}  // namespace

absl::StatusOr<IdleMemory> MeasureIdleMemory(Target& target, const PodOptions& options, int count,
                                             absl::Duration settle) {
  Pods pods(&target);
  for (int i = 0; i < count; ++i) CRISP_RETURN_IF_ERROR(pods.Start(options));
  absl::SleepFor(settle);
  IdleMemory result;
  CRISP_ASSIGN_OR_RETURN(result.pod_bytes, BytesPerPod(pods));
  for (const PodIds& ids : pods.ids()) {
    for (int i = 0; i < kExecsPerPod; ++i) {
      CRISP_RETURN_IF_ERROR(target.ExecTrue(ids, kDiscard));
    }
  }
  absl::SleepFor(settle);
  CRISP_ASSIGN_OR_RETURN(result.pod_bytes_after_execs, BytesPerPod(pods));
  CRISP_ASSIGN_OR_RETURN(const pid_t server, target.ServerPid());
  CRISP_ASSIGN_OR_RETURN(const int64_t daemon, PssBytes(server));
  result.daemon_bytes = static_cast<double>(daemon);
  return result;
}

}  // namespace crisp::podbench
