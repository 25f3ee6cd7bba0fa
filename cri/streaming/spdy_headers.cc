#include "cri/streaming/spdy_headers.h"

#include <zlib.h>

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/streaming/spdy_dictionary.h"

namespace crisp::cri {
namespace {

// Of compressed bytes in and out at a time.
constexpr size_t kChunkBytes = 4096;
// deflate with a small window: the blocks of a connection are a few hundred bytes, and
// a thousand connections should not hold zlib's usual 256 KiB each.
constexpr int kWindowBits = 11;
constexpr int kMemLevel = 3;

Bytef* Bytes(const void* data) { return const_cast<Bytef*>(static_cast<const Bytef*>(data)); }

void Append32(std::string* out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

// Takes a u32 and that many bytes off the front.
bool TakeText(absl::string_view* in, absl::string_view* out) {
  if (in->size() < 4) return false;
  size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>((*in)[i]);
  in->remove_prefix(4);
  if (in->size() < length) return false;
  *out = in->substr(0, length);
  in->remove_prefix(length);
  return true;
}

}  // namespace

struct SpdyHeaderDecoder::Zlib {
  Zlib() { ok = ::inflateInit(&stream) == Z_OK; }
  ~Zlib() { (void)::inflateEnd(&stream); }
  z_stream stream = {};
  bool ok = false;
};

SpdyHeaderDecoder::SpdyHeaderDecoder() : zlib_(std::make_unique<Zlib>()) {}
SpdyHeaderDecoder::~SpdyHeaderDecoder() = default;

absl::StatusOr<SpdyHeaders> SpdyHeaderDecoder::Decode(absl::string_view block) {
  if (!zlib_->ok) return absl::InvalidArgumentError("header compression is out of step");
  zlib_->ok = false;  // Until the block has decoded to its end.
  z_stream& stream = zlib_->stream;
  stream.next_in = Bytes(block.data());
  stream.avail_in = static_cast<uInt>(block.size());
  std::string text;
  char chunk[kChunkBytes];
  do {
    stream.next_out = Bytes(chunk);
    stream.avail_out = sizeof(chunk);
    int result = ::inflate(&stream, Z_SYNC_FLUSH);
    if (result == Z_NEED_DICT) {
      const std::string& dictionary = SpdyDictionary();
      result = ::inflateSetDictionary(&stream, Bytes(dictionary.data()),
                                      static_cast<uInt>(dictionary.size()));
      if (result == Z_OK) result = ::inflate(&stream, Z_SYNC_FLUSH);
    }
    // Z_BUF_ERROR: nothing more comes out of what there is. Z_STREAM_END would be the
    // end of all header blocks.
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return absl::InvalidArgumentError(absl::StrCat("header block: zlib error ", result));
    }
    text.append(chunk, sizeof(chunk) - stream.avail_out);
    if (text.size() > kMaxBlockBytes) {
      return absl::InvalidArgumentError("header block: too large");
    }
    if (result == Z_BUF_ERROR) break;
  } while (stream.avail_in > 0 || stream.avail_out == 0);
  if (stream.avail_in > 0) return absl::InvalidArgumentError("header block: bytes left over");
  zlib_->ok = true;
  return ParseSpdyHeaders(text);
}

absl::StatusOr<SpdyHeaders> ParseSpdyHeaders(absl::string_view text) {
  if (text.size() < 4) return absl::InvalidArgumentError("header block: too short");
  size_t count = 0;
  for (int i = 0; i < 4; ++i) count = count << 8 | static_cast<uint8_t>(text[i]);
  text.remove_prefix(4);
  if (count > SpdyHeaderDecoder::kMaxHeaders) {
    return absl::InvalidArgumentError(absl::StrCat("header block: ", count, " headers"));
  }
  SpdyHeaders headers;
  for (size_t i = 0; i < count; ++i) {
    absl::string_view name, value;
    if (!TakeText(&text, &name) || !TakeText(&text, &value)) {
      return absl::InvalidArgumentError("header block: cut off");
    }
    if (name.empty()) return absl::InvalidArgumentError("header block: a name is empty");
    if (!headers.emplace(absl::AsciiStrToLower(name), std::string(value)).second) {
      return absl::InvalidArgumentError("header block: a name comes twice");
    }
  }
  if (!text.empty()) return absl::InvalidArgumentError("header block: bytes after its end");
  return headers;
}

std::string SpdyHeaderText(const SpdyHeaders& headers) {
  std::string text;
  Append32(&text, headers.size());
  for (const auto& [name, value] : headers) {
    Append32(&text, name.size());
    text += name;
    Append32(&text, value.size());
    text += value;
  }
  return text;
}

struct SpdyHeaderEncoder::Zlib {
  Zlib() {
    const std::string& dictionary = SpdyDictionary();
    (void)::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kWindowBits, kMemLevel,
                         Z_DEFAULT_STRATEGY);
    (void)::deflateSetDictionary(&stream, Bytes(dictionary.data()),
                                 static_cast<uInt>(dictionary.size()));
  }
  ~Zlib() { (void)::deflateEnd(&stream); }
  z_stream stream = {};
};

SpdyHeaderEncoder::SpdyHeaderEncoder() : zlib_(std::make_unique<Zlib>()) {}
SpdyHeaderEncoder::~SpdyHeaderEncoder() = default;

std::string SpdyHeaderEncoder::Encode(const SpdyHeaders& headers) {
  const std::string text = SpdyHeaderText(headers);
  z_stream& stream = zlib_->stream;
  stream.next_in = Bytes(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  std::string block;
  char chunk[kChunkBytes];
  do {
    stream.next_out = Bytes(chunk);
    stream.avail_out = sizeof(chunk);
    (void)::deflate(&stream, Z_SYNC_FLUSH);
    block.append(chunk, sizeof(chunk) - stream.avail_out);
  } while (stream.avail_out == 0);
  return block;
}

}  // namespace crisp::cri
