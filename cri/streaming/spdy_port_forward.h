// Port forwarding over SPDY: the client opens a pair of streams, error and data, for each
// connection that it forwards, as many as it likes.
//
// Threads: the executor only.
#ifndef CRISP_CRI_STREAMING_SPDY_PORT_FORWARD_H_
#define CRISP_CRI_STREAMING_SPDY_PORT_FORWARD_H_

#include <functional>
#include <memory>

#include "cri/streaming/byte_transport.h"
#include "cri/streaming/stream_context.h"
#include "cri/streaming/stream_request.h"

namespace crisp::cri {

// As ServeSpdyCommand.
std::function<void()> ServeSpdyPortForward(const StreamContext& context,
                                           std::shared_ptr<ByteTransport> transport,
                                           StreamRequest request, std::function<void()> on_gone);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_PORT_FORWARD_H_
