#include "cri/streaming/spdy_frame.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

constexpr uint16_t kVersion = 3;
constexpr uint32_t kControlBit = 0x80000000;

uint32_t Load24(const char* bytes) {
  return static_cast<uint32_t>(static_cast<uint8_t>(bytes[0])) << 16 |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[1])) << 8 |
         static_cast<uint32_t>(static_cast<uint8_t>(bytes[2]));
}

uint32_t Load32(const char* bytes) {
  return static_cast<uint32_t>(static_cast<uint8_t>(bytes[0])) << 24 | Load24(bytes + 1);
}

void Append32(std::string* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

// Flags and length.
void AppendTail(std::string* out, uint8_t flags, size_t length) {
  Append32(out, static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(length));
}

std::string Control(SpdyType type, uint8_t flags, absl::string_view payload) {
  std::string out;
  Append32(&out, kControlBit | kVersion << 16 | static_cast<uint32_t>(type));
  AppendTail(&out, flags, payload.size());
  out.append(payload.data(), payload.size());
  return out;
}

}  // namespace

absl::Status SpdyParser::Feed(absl::string_view bytes) {
  while (!bytes.empty() || (in_frame_ && left_ == 0)) {
    if (!in_frame_) {
      const size_t n = std::min(kHeaderBytes - header_.size(), bytes.size());
      header_.append(bytes.data(), n);
      bytes.remove_prefix(n);
      if (header_.size() < kHeaderBytes) return absl::OkStatus();
      CRISP_RETURN_IF_ERROR(OnHeader());
      header_.clear();
      in_frame_ = true;
    }
    const size_t n = std::min(left_, bytes.size());
    if (control_) {
      payload_.append(bytes.data(), n);
      left_ -= n;
      bytes.remove_prefix(n);
      if (left_ > 0) continue;
      in_frame_ = false;
      CRISP_RETURN_IF_ERROR(OnControlFrame());
      payload_.clear();
    } else {
      left_ -= n;
      const absl::string_view piece = bytes.substr(0, n);
      bytes.remove_prefix(n);
      if (left_ == 0) in_frame_ = false;
      if (n == 0 && left_ > 0) continue;
      CRISP_RETURN_IF_ERROR(
          handler_.on_data(stream_id_, piece, left_ == 0 && (flags_ & kSpdyFin) != 0));
    }
  }
  return absl::OkStatus();
}

absl::Status SpdyParser::OnHeader() {
  const uint32_t first = Load32(header_.data());
  flags_ = static_cast<uint8_t>(header_[4]);
  left_ = Load24(header_.data() + 5);
  control_ = (first & kControlBit) != 0;
  if (!control_) {
    stream_id_ = first;
    return absl::OkStatus();
  }
  const uint32_t version = (first & ~kControlBit) >> 16;
  if (version != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("SPDY version ", version));
  }
  type_ = static_cast<uint16_t>(first & 0xffff);
  if (left_ > kMaxControlBytes) {
    return absl::InvalidArgumentError(absl::StrCat("SPDY control frame of ", left_, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status SpdyParser::OnControlFrame() {
  SpdyControl control;
  control.type = static_cast<SpdyType>(type_);
  control.flags = flags_;
  size_t fixed = 0;  // Bytes before the header block.
  bool exact = true;
  switch (control.type) {
    case SpdyType::kSynStream:
      fixed = 10;
      exact = false;
      break;
    case SpdyType::kSynReply:
    case SpdyType::kHeaders:
      fixed = 4;
      exact = false;
      break;
    case SpdyType::kRstStream:
    case SpdyType::kGoAway:
    case SpdyType::kWindowUpdate:
      fixed = 8;
      break;
    case SpdyType::kPing:
      fixed = 4;
      break;
    case SpdyType::kSettings:
      return handler_.on_control(std::move(control));  // Nothing in it concerns us.
    default:
      return absl::InvalidArgumentError(absl::StrCat("SPDY control frame of type ", type_));
  }
  if (payload_.size() < fixed || (exact && payload_.size() != fixed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("SPDY control frame of type ", type_, " with ", payload_.size(), " bytes"));
  }
  control.stream_id = Load32(payload_.data());
  // A ping's id has all 32 bits; the first of a stream's is reserved.
  if (control.type != SpdyType::kPing) control.stream_id &= kSpdyMaxStreamId;
  if (fixed == 8) control.status = Load32(payload_.data() + 4);
  if (!exact) control.header_block = payload_.substr(fixed);
  return handler_.on_control(std::move(control));
}

std::string SpdyDataHeader(uint32_t stream_id, size_t length, bool fin) {
  std::string out;
  Append32(&out, stream_id);
  AppendTail(&out, fin ? kSpdyFin : 0, length);
  return out;
}

std::string SpdySynReply(uint32_t stream_id, absl::string_view header_block) {
  std::string payload;
  Append32(&payload, stream_id);
  payload.append(header_block.data(), header_block.size());
  return Control(SpdyType::kSynReply, 0, payload);
}

std::string SpdyRstStream(uint32_t stream_id, SpdyReset status) {
  std::string payload;
  Append32(&payload, stream_id);
  Append32(&payload, static_cast<uint32_t>(status));
  return Control(SpdyType::kRstStream, 0, payload);
}

std::string SpdyPing(uint32_t id) {
  std::string payload;
  Append32(&payload, id);
  return Control(SpdyType::kPing, 0, payload);
}

std::string SpdyGoAway(uint32_t last_stream_id) {
  std::string payload;
  Append32(&payload, last_stream_id);
  Append32(&payload, 0);
  return Control(SpdyType::kGoAway, 0, payload);
}

std::string SpdySynStream(uint32_t stream_id, absl::string_view header_block, uint8_t flags) {
  std::string payload;
  Append32(&payload, stream_id);
  payload.append(6, '\0');  // No associated stream; priority 0.
  payload.append(header_block.data(), header_block.size());
  return Control(SpdyType::kSynStream, flags, payload);
}

}  // namespace crisp::cri
