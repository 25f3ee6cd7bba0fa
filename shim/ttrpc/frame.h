// ttrpc's frames: a header of ten bytes, big-endian, and a payload.
//
//   0        4          8      9       10
//   | length | stream id | type | flags | payload (length bytes)
//
// Threads: values.
// Errors:  none: a payload that is too long is skipped and told to the reader, who
//          answers on that stream; the connection goes on.
#ifndef CRISP_SHIM_TTRPC_FRAME_H_
#define CRISP_SHIM_TTRPC_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace crisp::shim {

inline constexpr size_t kFrameHeaderBytes = 10;
// What every ttrpc peer accepts in one message.
inline constexpr size_t kMaxFramePayload = 4 << 20;

enum class FrameType : uint8_t { kRequest = 1, kResponse = 2, kData = 3 };

inline constexpr uint8_t kFlagRemoteClosed = 1;
inline constexpr uint8_t kFlagRemoteOpen = 2;
inline constexpr uint8_t kFlagNoData = 4;

struct FrameHeader {
  uint32_t length = 0;
  uint32_t stream = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
};

// Of the first kFrameHeaderBytes of `bytes`.
FrameHeader DecodeFrameHeader(absl::string_view bytes);

void AppendFrame(std::string* out, uint32_t stream, FrameType type, absl::string_view payload);

// Cuts what a connection brings into frames, however it was chunked.
class FrameParser {
 public:
  // `fits`: the payload is whole; otherwise it was over the bound and is empty.
  using Handler =
      std::function<void(const FrameHeader& header, absl::string_view payload, bool fits)>;

  explicit FrameParser(size_t max_payload) : max_payload_(max_payload) {}

  // Hands over each frame that `bytes` complete. Keeps no memory between frames.
  void Feed(absl::string_view bytes, const Handler& handler);

  // Part of a frame is here.
  bool within_frame() const { return skip_ > 0 || !partial_.empty(); }

 private:
  size_t max_payload_;
  std::string partial_;
  uint64_t skip_ = 0;  // Of a payload that is too long.
  FrameHeader skipped_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TTRPC_FRAME_H_
