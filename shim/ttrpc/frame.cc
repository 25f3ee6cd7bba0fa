#include "shim/ttrpc/frame.h"

#include <algorithm>

namespace crisp::shim {
namespace {

uint32_t GetBe32(const char* p) {
  const auto* const b = reinterpret_cast<const unsigned char*>(p);
  return static_cast<uint32_t>(b[0]) << 24 | static_cast<uint32_t>(b[1]) << 16 |
         static_cast<uint32_t>(b[2]) << 8 | b[3];
}

void PutBe32(std::string* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

}  // namespace

FrameHeader DecodeFrameHeader(absl::string_view bytes) {
  FrameHeader header;
  header.length = GetBe32(bytes.data());
  header.stream = GetBe32(bytes.data() + 4);
  header.type = static_cast<uint8_t>(bytes[8]);
  header.flags = static_cast<uint8_t>(bytes[9]);
  return header;
}

void AppendFrame(std::string* out, uint32_t stream, FrameType type, absl::string_view payload) {
  out->reserve(out->size() + kFrameHeaderBytes + payload.size());
  PutBe32(out, static_cast<uint32_t>(payload.size()));
  PutBe32(out, stream);
  out->push_back(static_cast<char>(type));
  out->push_back(0);
  out->append(payload.data(), payload.size());
}

void FrameParser::Feed(absl::string_view bytes, const Handler& handler) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
      skip_ -= n;
      bytes.remove_prefix(n);
      if (skip_ == 0) handler(skipped_, {}, /*fits=*/false);
      continue;
    }
    // The usual case: whole frames, none of them copied.
    if (partial_.empty() && bytes.size() >= kFrameHeaderBytes) {
      const FrameHeader header = DecodeFrameHeader(bytes);
      if (header.length <= max_payload_ && bytes.size() - kFrameHeaderBytes >= header.length) {
        handler(header, bytes.substr(kFrameHeaderBytes, header.length), /*fits=*/true);
        bytes.remove_prefix(kFrameHeaderBytes + header.length);
        continue;
      }
    }
    if (partial_.size() < kFrameHeaderBytes) {
      const size_t n = std::min(kFrameHeaderBytes - partial_.size(), bytes.size());
      partial_.append(bytes.data(), n);
      bytes.remove_prefix(n);
      if (partial_.size() < kFrameHeaderBytes) return;
      const FrameHeader header = DecodeFrameHeader(partial_);
      if (header.length > max_payload_) {
        std::string().swap(partial_);
        skipped_ = header;
        skip_ = header.length;
        continue;
      }
    }
    const FrameHeader header = DecodeFrameHeader(partial_);
    const size_t whole = kFrameHeaderBytes + header.length;
    const size_t n = std::min(whole - partial_.size(), bytes.size());
    partial_.append(bytes.data(), n);
    bytes.remove_prefix(n);
    if (partial_.size() < whole) return;
    std::string frame;
    frame.swap(partial_);
    handler(header, absl::string_view(frame).substr(kFrameHeaderBytes), /*fits=*/true);
  }
}

}  // namespace crisp::shim
