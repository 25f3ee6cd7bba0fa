// Exec, attach and port forwarding over WebSocket channels.
//
//   exec, attach   0 stdin  1 stdout  2 stderr  3 error  4 resize; an empty message on the
//                  first that we write says that all is ready
//   port forward   for the i-th port of the request 2i data, 2i+1 error; each begins with
//                  the port as two bytes, the low one first
//
// Threads: the executor only.
#ifndef CRISP_CRI_STREAMING_WEB_SOCKET_SERVE_H_
#define CRISP_CRI_STREAMING_WEB_SOCKET_SERVE_H_

#include <functional>
#include <memory>

#include "cri/streaming/stream_context.h"
#include "cri/streaming/stream_request.h"
#include "cri/streaming/web_socket.h"

namespace crisp::cri {

// As ServeSpdyCommand.
std::function<void()> ServeWebSocketCommand(const StreamContext& context,
                                            std::shared_ptr<WebSocketChannels> channels,
                                            StreamRequest request,
                                            const WebSocketProtocol& protocol,
                                            std::function<void()> on_gone);

std::function<void()> ServeWebSocketPortForward(const StreamContext& context,
                                                std::shared_ptr<WebSocketChannels> channels,
                                                StreamRequest request,
                                                std::function<void()> on_gone);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_WEB_SOCKET_SERVE_H_
