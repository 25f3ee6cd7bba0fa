// CPU and memory of the pods' containers, from the runtime.
//
// CPU is the difference of two samples at least a second apart; the earlier one is kept
// from the last call. A call that finds a container without one waits for its second.
//
// Ownership: borrows the client and the clock.
// Threads:   safe; Read blocks for up to a second, and for the runtime.
// Errors:    the runtime's.
#ifndef CRISP_AGENT_SERVICE_STATS_READER_H_
#define CRISP_AGENT_SERVICE_STATS_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace crisp::agent {

class CriClient;

struct ContainerUsage {
  std::string name;
  int64_t cpu_nano_cores = 0;
  int64_t memory_working_set_bytes = 0;
};

class StatsReader {
 public:
  explicit StatsReader(CriClient* client) : client_(client) {}

  // By the pod's uid; containers in the order of their names.
  absl::StatusOr<std::map<std::string, std::vector<ContainerUsage>>> Read();

 private:
  struct Sample {
    std::string pod_uid, name;
    int64_t at_ns = 0;    // When.
    uint64_t cpu_ns = 0;  // Used until then.
    int64_t memory_bytes = 0;
  };
  using Samples = std::map<std::string, Sample>;  // By container id.

  absl::StatusOr<Samples> Take();

  CriClient* const client_;
  absl::Mutex mu_;
  Samples last_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SERVICE_STATS_READER_H_
