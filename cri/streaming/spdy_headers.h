// Header blocks of SPDY/3: names and values, compressed with one zlib stream for each
// direction of a connection.
//
// Ownership: each codec owns its zlib state.
// Threads:   one at a time.
// Errors:    InvalidArgument for a block that does not decode, has a name twice, or is
//            larger than any of ours could be: the state is out of step with the peer
//            from there on, so the connection ends.
#ifndef CRISP_CRI_STREAMING_SPDY_HEADERS_H_
#define CRISP_CRI_STREAMING_SPDY_HEADERS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

// By lower-case name. Several values of one name are joined by NUL.
using SpdyHeaders = std::map<std::string, std::string>;

class SpdyHeaderDecoder {
 public:
  // Uncompressed; what a bomb may grow to.
  static constexpr size_t kMaxBlockBytes = 256 << 10;
  static constexpr size_t kMaxHeaders = 1000;

  SpdyHeaderDecoder();
  ~SpdyHeaderDecoder();
  SpdyHeaderDecoder(const SpdyHeaderDecoder&) = delete;
  SpdyHeaderDecoder& operator=(const SpdyHeaderDecoder&) = delete;

  absl::StatusOr<SpdyHeaders> Decode(absl::string_view block);

 private:
  struct Zlib;
  const std::unique_ptr<Zlib> zlib_;
};

class SpdyHeaderEncoder {
 public:
  SpdyHeaderEncoder();
  ~SpdyHeaderEncoder();
  SpdyHeaderEncoder(const SpdyHeaderEncoder&) = delete;
  SpdyHeaderEncoder& operator=(const SpdyHeaderEncoder&) = delete;

  std::string Encode(const SpdyHeaders& headers);

 private:
  struct Zlib;
  const std::unique_ptr<Zlib> zlib_;
};

// The text between, as it is before compression.
absl::StatusOr<SpdyHeaders> ParseSpdyHeaders(absl::string_view text);
std::string SpdyHeaderText(const SpdyHeaders& headers);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SPDY_HEADERS_H_
