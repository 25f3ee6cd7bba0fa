// Exec and attach over SPDY: the client opens a stream for each of error, stdin, stdout,
// stderr and resize that the request has, and then the session begins.
//
// Threads: the executor only.
#ifndef CRISP_CRI_STREAMING_SPDY_COMMAND_H_
#define CRISP_CRI_STREAMING_SPDY_COMMAND_H_

#include <functional>
#include <memory>

#include "cri/streaming/byte_transport.h"
#include "cri/streaming/protocol.h"
#include "cri/streaming/stream_context.h"
#include "cri/streaming/stream_request.h"

namespace crisp::cri {

// `on_gone` is called once, when the connection is over. Calling what is returned ends
// it at once; it may outlive the connection.
std::function<void()> ServeSpdyCommand(const StreamContext& context,
                                       std::shared_ptr<ByteTransport> transport,
                                       StreamRequest request, const SpdyProtocol& protocol,
                                       std::function<void()> on_gone);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_COMMAND_H_
