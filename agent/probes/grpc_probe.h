// grpc.health.v1: is the service serving?
//
// Threads: free function, blocks for `timeout` at most. Errors: part of the outcome.
#ifndef CRISP_AGENT_PROBES_GRPC_PROBE_H_
#define CRISP_AGENT_PROBES_GRPC_PROBE_H_

#include <string>

#include "absl/time/time.h"
#include "agent/probes/probe_runner.h"

namespace crisp::agent {

ProbeOutcome GrpcHealth(const std::string& host, int port, const std::string& service,
                        absl::Duration timeout);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PROBES_GRPC_PROBE_H_
