#include "tests/perf/podbench/raw_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unix_socket.h"
#include "grpc_server/wire.h"

namespace crisp::podbench {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// RFC 9113: the windows' first and largest size, and a frame's largest.
constexpr uint32_t kFirstWindow = 65535;
constexpr uint32_t kLargestWindow = 0x7fffffff;
constexpr size_t kLargestFrame = 16384;
// How much of the connection's window may be used up before it is opened again.
constexpr size_t kAcknowledgeBytes = 256 << 20;

std::string BigEndian32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

uint32_t FromBigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void AppendFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload,
                 std::string* out) {
  const auto size = static_cast<uint32_t>(payload.size());
  const char header[] = {static_cast<char>(size >> 16),   static_cast<char>(size >> 8),
                         static_cast<char>(size),         static_cast<char>(type),
                         static_cast<char>(flags),        static_cast<char>(stream >> 24),
                         static_cast<char>(stream >> 16), static_cast<char>(stream >> 8),
                         static_cast<char>(stream)};
  out->append(header, sizeof(header));
  out->append(payload.data(), payload.size());
}

// The headers of a first call, indexed as gRPC's clients do it (RFC 7541, 6.1 and 6.2.1): what
// the static table has is named, the rest is spelled out and kept in the connection's table.
absl::StatusOr<std::string> FirstHeaders(absl::string_view path) {
  constexpr size_t kLongest = 126;  // Of a length in one byte.
  if (path.size() > kLongest) return absl::InvalidArgumentError("the path is too long");
  const auto text = [](absl::string_view value) {
    return absl::StrCat(std::string(1, static_cast<char>(value.size())), value);
  };
  return absl::StrCat("\x83\x86",                                     // :method POST, :scheme http
                      "\x44", text(path), "\x41", text("localhost"),  // :path, :authority
                      "\x40", text("te"), text("trailers"),           //
                      "\x5f", text("application/grpc"));              // content-type
}

// The same for every later call: from the tables, whose newest entry is the 62nd.
constexpr char kLaterHeaders[] = "\x83\x86\xc1\xc0\xbf\xbe";

}  // namespace

absl::StatusOr<std::unique_ptr<RawClient>> RawClient::Connect(const std::string& socket,
                                                              absl::string_view path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, ConnectUnix(socket));
  std::unique_ptr<RawClient> client(new RawClient(std::move(fd)));
  CRISP_ASSIGN_OR_RETURN(client->headers_, FirstHeaders(path));
  if (nghttp2_hd_inflate_new(&client->inflater_) != 0) {
    return absl::ResourceExhaustedError("out of memory");
  }
  // An answer of any size comes without waiting for us to ask for more.
  const std::string window =
      absl::StrCat(absl::string_view("\0\x04", 2), BigEndian32(kLargestWindow));
  client->out_ = std::string(kPreface);
  AppendFrame(NGHTTP2_SETTINGS, 0, 0, window, &client->out_);
  AppendFrame(NGHTTP2_WINDOW_UPDATE, 0, 0, BigEndian32(kLargestWindow - kFirstWindow),
              &client->out_);
  return client;
}

absl::StatusOr<RawClient::Answers> RawClient::Call(const std::string& request, int at_once,
                                                   absl::Duration duration) {
  const grpcserver::Prefix prefix = grpcserver::PrefixFor(request.size());
  const std::string body = std::string(prefix.begin(), prefix.end()) + request;
  if (body.size() > kLargestFrame) {
    return absl::InvalidArgumentError("the request does not fit one frame");
  }
  const Clock* clock = Clock::Real();
  const absl::Duration end = clock->Steady() + duration;
  const auto wanted = static_cast<size_t>(at_once);
  answers_ = Answers();
  while (under_way_.size() < wanted) Begin(body);
  while (!under_way_.empty()) {
    CRISP_RETURN_IF_ERROR(Send());
    CRISP_RETURN_IF_ERROR(Receive());
    if (clock->Steady() >= end) continue;
    while (under_way_.size() < wanted) Begin(body);
  }
  return answers_;
}

// The server's window needs no watching: what is under way is far less than the part of it
// that servers let be used up before they open it again.
void RawClient::Begin(absl::string_view body) {
  AppendFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, next_stream_, headers_, &out_);
  headers_ = kLaterHeaders;
  AppendFrame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, next_stream_, body, &out_);
  under_way_[next_stream_] = 0;
  next_stream_ += 2;
}

absl::Status RawClient::Send() {
  for (absl::string_view left = out_; !left.empty();) {
    const ssize_t n = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (n == -1) return ErrnoStatus(errno, "send");
    left.remove_prefix(static_cast<size_t>(n));
  }
  out_.clear();
  return absl::OkStatus();
}

absl::Status RawClient::Receive() {
  const ssize_t n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  if (n == -1) return ErrnoStatus(errno, "receive");
  if (n == 0) return absl::UnavailableError("the server has hung up");
  return Take({buffer_.data(), static_cast<size_t>(n)});
}

absl::Status RawClient::Take(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (!in_frame_) {
      const size_t n = std::min(kFrameHeaderBytes - begun_.size(), bytes.size());
      begun_.append(bytes.data(), n);
      bytes.remove_prefix(n);
      if (begun_.size() < kFrameHeaderBytes) break;
      const absl::string_view header = begun_;
      frame_.left = FromBigEndian(header.substr(0, 3));
      frame_.type = static_cast<uint8_t>(header[3]);
      frame_.flags = static_cast<uint8_t>(header[4]);
      frame_.stream = FromBigEndian(header.substr(5)) & kLargestWindow;
      frame_.payload.clear();
      if (frame_.left > kLargestFrame) return absl::InternalError("a frame is too large");
      begun_.clear();
      in_frame_ = true;
    }
    const size_t n = std::min(frame_.left, bytes.size());
    if (frame_.type == NGHTTP2_DATA) {
      OnData(n);
    } else {
      frame_.payload.append(bytes.data(), n);
    }
    bytes.remove_prefix(n);
    frame_.left -= n;
    if (frame_.left > 0) break;
    in_frame_ = false;
    CRISP_RETURN_IF_ERROR(OnFrame());
  }
  return absl::OkStatus();
}

void RawClient::OnData(size_t bytes) {
  const auto found = under_way_.find(frame_.stream);
  if (found != under_way_.end()) found->second += bytes;
  unacknowledged_ += bytes;
  if (unacknowledged_ < kAcknowledgeBytes) return;
  AppendFrame(NGHTTP2_WINDOW_UPDATE, 0, 0, BigEndian32(static_cast<uint32_t>(unacknowledged_)),
              &out_);
  unacknowledged_ = 0;
}

absl::Status RawClient::OnFrame() {
  const bool ack = (frame_.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame_.type) {
    case NGHTTP2_HEADERS:
      return OnHeaders();
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
      if (!ack) {
        AppendFrame(frame_.type, NGHTTP2_FLAG_ACK, 0,
                    frame_.type == NGHTTP2_PING ? frame_.payload : "", &out_);
      }
      return absl::OkStatus();
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_DATA:
      return absl::OkStatus();
    case NGHTTP2_RST_STREAM:
      // Go's server sends one if it has answered before it saw the end of the request.
      if (!under_way_.contains(frame_.stream)) return absl::OkStatus();
      ABSL_FALLTHROUGH_INTENDED;
    default:
      return absl::InternalError(
          absl::StrCat("a frame of type ", frame_.type, " on stream ", frame_.stream));
  }
}

absl::Status RawClient::OnHeaders() {
  if ((frame_.flags & ~NGHTTP2_FLAG_END_STREAM) != NGHTTP2_FLAG_END_HEADERS) {
    return absl::InternalError("headers in several frames, or with padding");
  }
  std::optional<int> code;
  std::string message;
  absl::string_view left = frame_.payload;
  for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
    nghttp2_nv field;
    const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags,
                                             reinterpret_cast<const uint8_t*>(left.data()),
                                             left.size(), /*in_final=*/1);
    if (n < 0) return absl::InternalError(nghttp2_strerror(static_cast<int>(n)));
    left.remove_prefix(static_cast<size_t>(n));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
    const absl::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
    const absl::string_view value(reinterpret_cast<const char*>(field.value), field.valuelen);
    int number = 0;
    if (name == "grpc-status" && absl::SimpleAtoi(value, &number)) code = number;
    if (name == "grpc-message") message = std::string(value);
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  if ((frame_.flags & NGHTTP2_FLAG_END_STREAM) == 0) return absl::OkStatus();
  if (!code.has_value()) return absl::InternalError("an answer without a status");
  const auto ended = under_way_.find(frame_.stream);
  if (ended == under_way_.end()) return absl::InternalError("an answer to no call");
  ++answers_.calls;
  answers_.bytes = ended->second;
  under_way_.erase(ended);
  return absl::Status(static_cast<absl::StatusCode>(*code), message);
}

}  // namespace crisp::podbench
