// Which of the protocols that Kubernetes' clients speak a connection shall speak.
//
// Over SPDY the client names them in X-Stream-Protocol-Version, best first; over
// WebSocket in Sec-WebSocket-Protocol.
//
//   v1      error stream: text, only on failure
//   v2, v3  the same; from v3 on a terminal has a resize stream
//   v4      error stream: a Kubernetes Status in JSON
//   v5      over WebSocket: a channel may be closed; over SPDY: as v4
//
// Threads: free functions.
#ifndef CRISP_CRI_STREAMING_PROTOCOL_H_
#define CRISP_CRI_STREAMING_PROTOCOL_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace crisp::cri {

// What a token is for, and the first word of its URL's path.
enum class StreamKind { kExec, kAttach, kPortForward };

struct SpdyProtocol {
  std::string name;  // As the client wrote it.
  bool status_json = false;
  bool resize = false;
};

struct WebSocketProtocol {
  std::string name;  // Empty: the client asked for none, and gets the plain channels.
  bool base64 = false;
  bool status_json = false;
  bool half_close = false;   // v5
  bool tells_close = false;  // v5 of a port-forward: so do we.
  bool spdy_tunnel = false;
};

// The items of all values of a header: separated by commas, without blanks.
std::vector<std::string> HeaderItems(const std::vector<std::string>& values);

// The first of the client's that is served; nullopt if none is.
std::optional<SpdyProtocol> ChooseSpdyProtocol(StreamKind kind,
                                               const std::vector<std::string>& wanted);
std::optional<WebSocketProtocol> ChooseWebSocketProtocol(StreamKind kind,
                                                         const std::vector<std::string>& wanted);

// All that is served over SPDY, for a client that asked for something else.
const std::vector<std::string>& ServedSpdyProtocols(StreamKind kind);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_PROTOCOL_H_
