#include "tests/perf/podbench/raw_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "grpc_server/wire.h"
#include "tests/perf/podbench/connect.h"

namespace crisp::podbench {
namespace {

// An answer of any size comes without waiting for us to ask for more.
constexpr int32_t kWindowBytes = 64 << 20;

nghttp2_nv Header(absl::string_view name, absl::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct RawClient::Callbacks {
  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
    Exchange& exchange = static_cast<RawClient*>(user)->exchange_;
    const absl::string_view key(reinterpret_cast<const char*>(name), name_size);
    const absl::string_view text(reinterpret_cast<const char*>(value), value_size);
    int code = 0;
    if (key == "grpc-status" && absl::SimpleAtoi(text, &code)) exchange.grpc_status = code;
    if (key == "grpc-message") exchange.grpc_message = std::string(text);
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t size, void* user) {
    static_cast<RawClient*>(user)->exchange_.received += size;
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t, uint32_t, void* user) {
    static_cast<RawClient*>(user)->exchange_.closed = true;
    return 0;
  }

  static ssize_t Read(nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    Exchange& exchange = static_cast<RawClient*>(user)->exchange_;
    const size_t n = std::min(size, exchange.request.size() - exchange.sent);
    std::memcpy(buffer, exchange.request.data() + exchange.sent, n);
    exchange.sent += n;
    if (exchange.sent == exchange.request.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
};

absl::StatusOr<std::unique_ptr<RawClient>> RawClient::Connect(const std::string& socket) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, ConnectTo(socket));
  std::unique_ptr<RawClient> client(new RawClient(std::move(fd)));
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) {
    return absl::ResourceExhaustedError("out of memory");
  }
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnClose);
  const int made = nghttp2_session_client_new(&client->http2_, callbacks, client.get());
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return absl::ResourceExhaustedError("out of memory");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(kWindowBytes)}};
  nghttp2_submit_settings(client->http2_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(client->http2_, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
  return client;
}

absl::StatusOr<size_t> RawClient::Call(const std::string& path, const std::string& request) {
  exchange_ = Exchange();
  const grpcserver::Prefix prefix = grpcserver::PrefixFor(request.size());
  exchange_.request.assign(prefix.begin(), prefix.end());
  exchange_.request += request;
  const nghttp2_nv headers[] = {
      Header(":method", "POST"), Header(":scheme", "http"),
      Header(":path", path),     Header(":authority", "localhost"),
      Header("te", "trailers"),  Header("content-type", "application/grpc")};
  nghttp2_data_provider body = {.source = {}, .read_callback = Callbacks::Read};
  const int32_t stream =
      nghttp2_submit_request(http2_, nullptr, headers, std::size(headers), &body, nullptr);
  if (stream < 0) return absl::InternalError(nghttp2_strerror(stream));
  while (!exchange_.closed) {
    CRISP_RETURN_IF_ERROR(Send());
    if (!exchange_.closed) CRISP_RETURN_IF_ERROR(Receive());
  }
  if (!exchange_.grpc_status.has_value()) return absl::InternalError("an answer without a status");
  if (*exchange_.grpc_status != 0) {
    return absl::Status(static_cast<absl::StatusCode>(*exchange_.grpc_status),
                        exchange_.grpc_message);
  }
  return exchange_.received;
}

absl::Status RawClient::Send() {
  const uint8_t* data = nullptr;
  std::string out;
  while (true) {
    const ssize_t n = nghttp2_session_mem_send(http2_, &data);
    if (n < 0) return absl::InternalError(nghttp2_strerror(static_cast<int>(n)));
    if (n == 0) break;
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }
  for (absl::string_view left = out; !left.empty();) {
    const ssize_t n = ::send(fd_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (n == -1) return ErrnoStatus(errno, "send");
    left.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status RawClient::Receive() {
  const ssize_t n = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  if (n == -1) return ErrnoStatus(errno, "receive");
  if (n == 0) return absl::UnavailableError("the server has hung up");
  const ssize_t taken = nghttp2_session_mem_recv(
      http2_, reinterpret_cast<const uint8_t*>(buffer_.data()), static_cast<size_t>(n));
  if (taken < 0) return absl::InternalError(nghttp2_strerror(static_cast<int>(taken)));
  return absl::OkStatus();
}

}  // namespace crisp::podbench
