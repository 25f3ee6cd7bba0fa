// Runs one probe once.
//
// Threads: safe; Run blocks until the answer, at most the probe's timeout and a little.
// Errors:  part of the outcome.
#ifndef CRISP_AGENT_PROBES_PROBE_RUNNER_H_
#define CRISP_AGENT_PROBES_PROBE_RUNNER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

class PodRuntime;

struct ProbeTarget {
  std::string container_id, container_name;
  std::string address;               // The pod's, or the node's in its network.
  std::vector<ContainerPort> ports;  // For ports by name.
};

struct ProbeOutcome {
  enum class Result {
    kSuccess,
    kWarning,  // A success that somebody should look at.
    kFailure,
    kError,  // The probe itself could not be made.
  };
  Result result = Result::kSuccess;
  std::string output;
};

class ProbeRunner {
 public:
  virtual ~ProbeRunner() = default;
  virtual ProbeOutcome Run(const ProbeTarget& target, const Probe& probe) = 0;
};

// Borrows the runtime, which runs exec probes.
std::unique_ptr<ProbeRunner> MakeProbeRunner(PodRuntime* runtime);

// The number of a port that may stand as a name.
absl::StatusOr<int> ResolvePort(const PortRef& port, const std::vector<ContainerPort>& ports,
                                const std::string& container);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PROBES_PROBE_RUNNER_H_
