#include "cri/streaming/socket_transport.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class SocketTransport : public ByteTransport, public std::enable_shared_from_this<SocketTransport> {
 public:
  SocketTransport(ClientSocket socket, std::string early)
      : socket_(std::move(socket)), early_(std::move(early)) {}

  asio::any_io_executor executor() override { return socket_.get_executor(); }

  void AsyncRead(asio::mutable_buffer buffer, ReadHandler handler) override {
    if (!early_.empty()) {
      const size_t n = std::min(early_.size(), buffer.size());
      std::memcpy(buffer.data(), early_.data(), n);
      early_.erase(0, n);
      asio::post(executor(), [handler = std::move(handler), n] { handler(error_code(), n); });
      return;
    }
    socket_.async_read_some(buffer, [self = shared_from_this(), handler = std::move(handler)](
                                        error_code error, size_t n) { handler(error, n); });
  }

  void AsyncWrite(std::string bytes, WriteHandler handler) override {
    writing_ = std::move(bytes);
    asio::async_write(socket_, asio::buffer(writing_),
                      [self = shared_from_this(), handler = std::move(handler)](
                          error_code error, size_t) { handler(error); });
  }

  void ShutdownWrite() override {
    error_code ignored;
    socket_.tcp().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  void Close() override { socket_.Close(); }

 private:
  ClientSocket socket_;
  std::string early_;
  std::string writing_;
};

}  // namespace

std::shared_ptr<ByteTransport> MakeSocketTransport(ClientSocket socket, std::string early) {
  return std::make_shared<SocketTransport>(std::move(socket), std::move(early));
}

}  // namespace crisp::cri
