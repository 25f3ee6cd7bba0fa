// Any bytes from a streaming client: frames, header blocks, channel messages and sizes, or
// an error; the same whatever pieces they come in; and never more kept than the bounds say.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cri/streaming/channel_codec.h"
#include "cri/streaming/resize_parser.h"
#include "cri/streaming/spdy_frame.h"
#include "cri/streaming/spdy_headers.h"

namespace {

// What a connection makes of `bytes` when they come `piece` at a time.
std::string Frames(absl::string_view bytes, size_t piece) {
  std::string seen;
  crisp::cri::SpdyHeaderDecoder headers;
  crisp::cri::SpdyParser parser(
      {.on_control = [&](crisp::cri::SpdyControl control) -> absl::Status {
         if (control.header_block.size() > crisp::cri::SpdyParser::kMaxControlBytes) {
           __builtin_trap();
         }
         absl::StrAppend(&seen, "[", static_cast<int>(control.type), " ", control.stream_id, " ",
                         control.status, "]");
         if (control.type != crisp::cri::SpdyType::kSynStream) return absl::OkStatus();
         const auto decoded = headers.Decode(control.header_block);
         if (decoded.ok()) absl::StrAppend(&seen, crisp::cri::SpdyHeaderText(*decoded));
         return decoded.status();
       },
       .on_data =
           [&](uint32_t id, absl::string_view data, bool fin) {
             for (const char c : data) absl::StrAppend(&seen, id, absl::string_view(&c, 1));
             if (fin) absl::StrAppend(&seen, id, "<fin>");
             return absl::OkStatus();
           }});
  for (size_t i = 0; i < bytes.size(); i += piece) {
    if (!parser.Feed(bytes.substr(i, piece)).ok()) return seen + "<error>";
  }
  return seen;
}

std::string Channels(absl::string_view bytes, size_t piece, bool base64, bool half_close) {
  std::string seen;
  crisp::cri::WebSocketProtocol protocol;
  protocol.base64 = base64;
  protocol.half_close = half_close;
  crisp::cri::ChannelDecoder decoder(
      protocol, {.on_data = [&](uint8_t, absl::string_view data) { absl::StrAppend(&seen, data); },
                 .on_close = [&](uint8_t channel) { absl::StrAppend(&seen, "!", channel); }});
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const bool last = i + piece >= bytes.size();
    if (!decoder.Feed(bytes.substr(i, piece), last).ok()) return "<error>";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (Frames(bytes, size + 1) != Frames(bytes, 1 + size % 7)) __builtin_trap();
  const auto headers = crisp::cri::ParseSpdyHeaders(bytes);
  // What was understood reads back.
  if (headers.ok() &&
      crisp::cri::ParseSpdyHeaders(crisp::cri::SpdyHeaderText(*headers)).value() != *headers) {
    __builtin_trap();
  }
  crisp::cri::SpdyHeaderEncoder encoder;
  crisp::cri::SpdyHeaderDecoder decoder;
  const crisp::cri::SpdyHeaders one = {{"name", std::string(bytes)}};
  if (size < 4096 && decoder.Decode(encoder.Encode(one)).value() != one) __builtin_trap();
  for (const bool base64 : {false, true}) {
    for (const bool half_close : {false, true}) {
      if (Channels(bytes, size + 1, base64, half_close) != Channels(bytes, 3, base64, half_close)) {
        __builtin_trap();
      }
    }
  }
  crisp::cri::ResizeParser sizes;
  for (const auto& terminal : sizes.Feed(bytes)) {
    if (terminal.width == 0 || terminal.height == 0) __builtin_trap();
  }
  return 0;
}
