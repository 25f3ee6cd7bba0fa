// The streams of an Exec or Attach call.
//
// Threads: free functions.
#ifndef CRISP_CRI_RPC_REQUESTED_STREAMS_H_
#define CRISP_CRI_RPC_REQUESTED_STREAMS_H_

#include "absl/status/statusor.h"
#include "cri/spec/field_text.h"
#include "cri/task/task_session.h"

namespace crisp::cri::rpc {

// The streams that an ExecRequest or AttachRequest asks for; InvalidArgument if they make
// no sense together.
template <typename Request>
absl::StatusOr<SessionStreams> RequestedStreams(const Request& request) {
  if (request.container_id().empty()) return BadField("container_id", "empty");
  if (request.tty() && request.stderr()) {
    return BadField("stderr", "a terminal has no stderr of its own");
  }
  if (!request.stdin() && !request.stdout() && !request.stderr()) {
    return BadField("stdin, stdout, stderr", "one of them must be set");
  }
  return SessionStreams{.stdin = request.stdin(),
                        .stdout = request.stdout(),
                        .stderr = request.stderr(),
                        .terminal = request.tty()};
}

}  // namespace crisp::cri::rpc

#endif  // CRISP_CRI_RPC_REQUESTED_STREAMS_H_
