// The socket that a client of the streaming server has connected, plain or with TLS, as
// one type: what is built on it is compiled once.
//
// It is an AsyncStream in Asio's and Beast's sense.
//
// Ownership: owns the descriptor; borrows the TLS context.
// Threads:   its executor only.
#ifndef CRISP_CRI_STREAMING_CLIENT_SOCKET_H_
#define CRISP_CRI_STREAMING_CLIENT_SOCKET_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <memory>
#include <utility>

namespace crisp::cri {

class ClientSocket {
 public:
  using executor_type = boost::asio::any_io_executor;

  // `tls` may be null.
  ClientSocket(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls) {
    if (tls != nullptr) {
      tls_ = std::make_unique<Tls>(std::move(socket), *tls);
    } else {
      plain_ = std::make_unique<boost::asio::ip::tcp::socket>(std::move(socket));
    }
  }

  executor_type get_executor() { return tcp().get_executor(); }
  boost::asio::ip::tcp::socket& tcp() { return tls_ != nullptr ? tls_->next_layer() : *plain_; }

  // Calls `handler(error)`: at once done without TLS.
  template <typename Handler>
  void AsyncHandshake(Handler handler) {
    if (tls_ != nullptr) {
      tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
    } else {
      boost::asio::post(get_executor(), [handler = std::move(handler)]() mutable {
        handler(boost::system::error_code());
      });
    }
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_ != nullptr) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_->async_read_some(buffers, std::forward<Handler>(handler));
    }
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_ != nullptr) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_->async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

  void Close() {
    boost::system::error_code ignored;
    tcp().close(ignored);
  }

 private:
  using Tls = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

  std::unique_ptr<boost::asio::ip::tcp::socket> plain_;
  std::unique_ptr<Tls> tls_;
};

// How Beast closes a stream of ours.
inline void beast_close_socket(ClientSocket& socket) { socket.Close(); }

// Beast's end of a WebSocket: its closing frames were exchanged, so nothing is left to
// be flushed.
inline void teardown(boost::beast::role_type, ClientSocket& socket,
                     boost::system::error_code& error) {
  error = {};
  socket.Close();
}
template <typename Handler>
void async_teardown(boost::beast::role_type, ClientSocket& socket, Handler&& handler) {
  boost::system::error_code ignored;
  socket.tcp().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  boost::asio::post(socket.get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
    handler(boost::system::error_code());
  });
}

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_CLIENT_SOCKET_H_
