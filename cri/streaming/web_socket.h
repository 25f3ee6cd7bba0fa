// Streams over one WebSocket, in two forms: channels, each message naming its own; and a
// tunnel, whose messages are pieces of one stream of bytes.
//
// Ownership: channels are their own from Start until the connection is over; a tunnel is
//            its user's.
// Threads:   the executor only.
// Errors:    a message that cannot be read ends the connection.
#ifndef CRISP_CRI_STREAMING_WEB_SOCKET_H_
#define CRISP_CRI_STREAMING_WEB_SOCKET_H_

#include <functional>
#include <memory>

#include "cri/streaming/byte_transport.h"
#include "cri/streaming/client_stream.h"
#include "cri/streaming/http_upgrade.h"
#include "cri/streaming/protocol.h"
#include "cri/streaming/stream_context.h"

namespace crisp::cri {

class WebSocketChannels {
 public:
  virtual ~WebSocketChannels() = default;

  // Makes it known; before Start. Messages for channels that are not are dropped.
  virtual std::shared_ptr<ClientStream> AddChannel(uint8_t number) = 0;

  // Answers the upgrade and begins. `on_open` is called when the client may be written
  // to, `on_gone` once when the connection is over.
  virtual void Start(std::function<void()> on_open, std::function<void()> on_gone) = 0;

  // Everything has been written: closes, and waits a while for the client to agree.
  virtual void Finish() = 0;
  virtual void Abort() = 0;
};

std::shared_ptr<WebSocketChannels> MakeWebSocketChannels(const StreamContext& context,
                                                         std::unique_ptr<HttpUpgrade> upgrade,
                                                         const WebSocketProtocol& protocol);

// Answers the upgrade; the first read or write waits for it.
std::shared_ptr<ByteTransport> MakeWebSocketTunnel(std::unique_ptr<HttpUpgrade> upgrade,
                                                   const WebSocketProtocol& protocol);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_WEB_SOCKET_H_
