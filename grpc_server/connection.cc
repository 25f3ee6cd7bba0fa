#include "grpc_server/connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "base/log.h"

namespace crisp::grpcserver {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Written at once; the socket's own buffer has about three times as much.
constexpr size_t kWriteBytes = 64 << 10;

}  // namespace

void Connection::Start() {
  session_ = std::make_unique<Session>(
      options_, [weak = weak_from_this(), executor = socket_.get_executor()](int32_t stream) {
        asio::post(executor, [weak, stream] {
          const auto self = weak.lock();
          if (self == nullptr) return;
          self->session_->Resume(stream);
          self->Flush();
        });
      });
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return;
  Flush();
  Read();
}

void Connection::Read() {
  socket_.async_read_some(
      asio::buffer(in_), [self = shared_from_this()](error_code error, size_t n) {
        absl::Status received = error ? absl::CancelledError("the client has hung up")
                                      : self->session_->Receive({self->in_.data(), n});
        if (!received.ok()) {
          if (!error) LogDebug("a client's connection is closed", {{"reason", received}});
          self->Close();
          return;
        }
        self->Flush();
        self->Read();
      });
}

void Connection::Flush() {
  while (out_.empty()) {
    session_->Send(&out_, kWriteBytes);
    if (out_.empty()) break;
    error_code error;
    const size_t n = socket_.write_some(asio::buffer(out_), error);
    if (error && error != asio::error::would_block) {
      Close();
      return;
    }
    out_.erase(0, error ? 0 : n);
    if (out_.empty()) continue;
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](error_code error, size_t) {
                        self->out_.clear();
                        if (error) {
                          self->Close();
                        } else {
                          self->Flush();
                        }
                      });
    return;
  }
  if (session_->done()) Close();
}

void Connection::Drain() {
  session_->Drain();
  Flush();
}

void Connection::Close() {
  session_->CancelCalls();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace crisp::grpcserver
