// Can a TCP connection be made? The whole of a tcpSocket probe.
//
// Threads: free function, blocks for `timeout` at most (a host that is a name may take
//          the resolver longer).
// Errors:  errno kept; DeadlineExceeded; NotFound for a name that does not resolve.
#ifndef CRISP_AGENT_PROBES_TCP_CONNECT_H_
#define CRISP_AGENT_PROBES_TCP_CONNECT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace crisp::agent {

absl::Status TcpConnect(const std::string& host, int port, absl::Duration timeout);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PROBES_TCP_CONNECT_H_
