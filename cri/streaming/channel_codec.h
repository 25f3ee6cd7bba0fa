// Messages of the channel.k8s.io family: one logical stream's bytes behind its number.
//
//   binary   [channel][bytes...]
//   base64   '0'+channel, then the bytes in base64, as text
//   v5       [255][channel] besides: nothing more comes on that channel
//
// Threads: values; a decoder belongs to one connection.
// Errors:  InvalidArgument for a message that cannot be read: the connection ends.
#ifndef CRISP_CRI_STREAMING_CHANNEL_CODEC_H_
#define CRISP_CRI_STREAMING_CHANNEL_CODEC_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cri/streaming/protocol.h"

namespace crisp::cri {

class ChannelDecoder {
 public:
  struct Handler {
    // A piece of a message as it comes.
    std::function<void(uint8_t channel, absl::string_view data)> on_data;
    std::function<void(uint8_t channel)> on_close;  // v5 only.
  };

  ChannelDecoder(const WebSocketProtocol& protocol, Handler handler)
      : base64_(protocol.base64), half_close_(protocol.half_close), handler_(std::move(handler)) {}

  // The next bytes of a message, and whether they are its last. An empty message
  // means nothing.
  absl::Status Feed(absl::string_view bytes, bool last);

 private:
  absl::Status Text(absl::string_view bytes, bool last);

  const bool base64_;
  const bool half_close_;
  const Handler handler_;
  bool begun_ = false;  // The message's channel is known.
  uint8_t channel_ = 0;
  std::string quad_;     // Up to three characters of base64 that do not yet make bytes.
  bool padded_ = false;  // The message has come to its padding.
};

// A message of ours, without WebSocket's own framing.
std::string ChannelMessage(const WebSocketProtocol& protocol, uint8_t channel,
                           absl::string_view data);
// v5's message that a channel has ended.
std::string CloseMessage(uint8_t channel);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_CHANNEL_CODEC_H_
