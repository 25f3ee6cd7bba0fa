// What a user needs to know of a socket that a call could not reach.
#ifndef CRISP_AGENT_SOCKET_PROBE_H_
#define CRISP_AGENT_SOCKET_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

// A gRPC target; a bare path is a unix socket.
std::string GrpcTarget(const std::string& address);

// Connects once. OK if somebody listens, or if the target is no unix socket; else the
// errno of connect(2).
absl::Status ProbeSocket(absl::string_view target);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SOCKET_PROBE_H_
