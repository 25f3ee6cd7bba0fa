// SPDY/3.1 frames: what the bytes of a connection mean, and the bytes of what we say.
//
// Only framing: header blocks stay compressed (spdy_headers.h), and streams are known to
// spdy_connection.h alone.
//
// Threads: values; a parser belongs to one connection.
// Errors:  InvalidArgument for bytes that are no SPDY/3: the connection ends. Nothing a
//          peer sends makes the parser keep more than kMaxControlBytes.
#ifndef CRISP_CRI_STREAMING_SPDY_FRAME_H_
#define CRISP_CRI_STREAMING_SPDY_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

enum class SpdyType : uint16_t {
  kSynStream = 1,
  kSynReply = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};

// Of RST_STREAM.
enum class SpdyReset : uint32_t {
  kProtocolError = 1,
  kInvalidStream = 2,
  kRefusedStream = 3,
  kCancel = 5,
  kInternalError = 6,
};

inline constexpr uint8_t kSpdyFin = 0x01;
inline constexpr uint32_t kSpdyMaxStreamId = 0x7fffffff;

// A control frame without what its type does not have.
struct SpdyControl {
  SpdyType type = SpdyType::kPing;
  uint8_t flags = 0;
  uint32_t stream_id = 0;    // Or the ping's id, or GOAWAY's last good stream.
  uint32_t status = 0;       // RST_STREAM, GOAWAY.
  std::string header_block;  // SYN_STREAM, SYN_REPLY, HEADERS; compressed.
};

class SpdyParser {
 public:
  // More than any header block that a stream of ours needs.
  static constexpr size_t kMaxControlBytes = 64 << 10;

  // What frames mean, in order. An error of theirs ends the parsing.
  struct Handler {
    std::function<absl::Status(SpdyControl control)> on_control;
    // A piece of a DATA frame as it comes; `fin` with the last piece, which may be empty.
    std::function<absl::Status(uint32_t stream_id, absl::string_view data, bool fin)> on_data;
  };

  explicit SpdyParser(Handler handler) : handler_(std::move(handler)) {}

  // Takes all of `bytes`.
  absl::Status Feed(absl::string_view bytes);

 private:
  static constexpr size_t kHeaderBytes = 8;

  absl::Status OnHeader();
  absl::Status OnControlFrame();

  const Handler handler_;
  std::string header_;   // Up to kHeaderBytes of the next frame.
  std::string payload_;  // Of a control frame.
  size_t left_ = 0;      // Of the frame that has begun.
  bool control_ = false;
  bool in_frame_ = false;
  uint8_t flags_ = 0;
  uint16_t type_ = 0;
  uint32_t stream_id_ = 0;
};

// The header of a DATA frame with `length` (< 2^24) bytes to follow.
std::string SpdyDataHeader(uint32_t stream_id, size_t length, bool fin);
std::string SpdySynReply(uint32_t stream_id, absl::string_view header_block);
std::string SpdyRstStream(uint32_t stream_id, SpdyReset status);
std::string SpdyPing(uint32_t id);
std::string SpdyGoAway(uint32_t last_stream_id);  // With status OK.
// As clients send it; the tests are one.
std::string SpdySynStream(uint32_t stream_id, absl::string_view header_block, uint8_t flags);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_FRAME_H_
