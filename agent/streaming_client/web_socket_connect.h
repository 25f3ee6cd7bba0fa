// A WebSocket to a stream's URL.
#ifndef CRISP_AGENT_STREAMING_CLIENT_WEB_SOCKET_CONNECT_H_
#define CRISP_AGENT_STREAMING_CLIENT_WEB_SOCKET_CONNECT_H_

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/streaming_client/stream_url.h"
#include "base/status_macros.h"

namespace crisp::cli {

using WebSocket = boost::beast::websocket::stream<boost::beast::tcp_stream>;

inline absl::Status StreamError(const boost::system::error_code& error, absl::string_view what) {
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(what, ": ", error.message()));
}

// Connects and upgrades; `protocols` is a comma-separated list, best first. Returns the
// chosen one. Blocks; the runtime is on this machine.
inline absl::StatusOr<std::string> ConnectWebSocket(const std::string& url,
                                                    const std::string& protocols,
                                                    WebSocket* socket) {
  namespace beast = boost::beast;
  namespace websocket = beast::websocket;
  CRISP_ASSIGN_OR_RETURN(const StreamUrl target, StreamUrl::Parse(url));
  boost::system::error_code error;
  boost::asio::ip::tcp::resolver resolver(socket->get_executor());
  const auto endpoints = resolver.resolve(target.host, target.port, error);
  CRISP_RETURN_IF_ERROR(StreamError(error, "resolve the runtime's stream address"));
  boost::asio::connect(beast::get_lowest_layer(*socket).socket(), endpoints, error);
  CRISP_RETURN_IF_ERROR(StreamError(error, "connect to the runtime's streaming server"));
  beast::get_lowest_layer(*socket).socket().set_option(boost::asio::ip::tcp::no_delay(true), error);
  websocket::stream_base::timeout timeout =
      websocket::stream_base::timeout::suggested(beast::role_type::client);
  timeout.idle_timeout = std::chrono::minutes(2);  // Answered pings count.
  timeout.keep_alive_pings = true;
  socket->set_option(timeout);
  socket->set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
    request.set(beast::http::field::sec_websocket_protocol, protocols);
  }));
  websocket::response_type response;
  socket->handshake(response, absl::StrCat(target.host, ":", target.port), target.path, error);
  if (error == websocket::error::upgrade_declined) {
    return absl::UnavailableError(absl::StrCat(
        "the runtime refused the stream: ", response.result_int(), " ", response.body()));
  }
  CRISP_RETURN_IF_ERROR(StreamError(error, "upgrade the stream"));
  socket->binary(true);
  socket->read_message_max(64 << 20);
  const auto chosen = response[beast::http::field::sec_websocket_protocol];
  return std::string(chosen.data(), chosen.size());
}

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_WEB_SOCKET_CONNECT_H_
