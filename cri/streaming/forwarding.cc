#include "cri/streaming/forwarding.h"

#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cri/streaming/pod_dialer.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

}  // namespace

Forwarding::Forwarding(const StreamContext& context, uint16_t port,
                       std::shared_ptr<ClientStream> data, std::shared_ptr<ClientStream> error,
                       std::function<void()> on_end)
    : context_(context),
      port_(port),
      data_(std::move(data)),
      error_(std::move(error)),
      on_end_(std::move(on_end)),
      half_closed_(context.executor) {}

void Forwarding::Start(const std::string& netns_path) {
  DialPod(context_, netns_path, port_,
          [self = shared_from_this()](absl::StatusOr<std::shared_ptr<tcp::socket>> socket) {
            if (self->done_) return;
            if (!socket.ok()) {
              self->Fail(socket.status());
            } else {
              self->OnDialed(*std::move(socket));
            }
          });
}

void Forwarding::OnDialed(std::shared_ptr<tcp::socket> socket) {
  socket_ = std::move(socket);
  error_code ignored;
  socket_->set_option(tcp::no_delay(true), ignored);
  FromClient();
  FromPod();
}

void Forwarding::Fail(const absl::Status& status) {
  error_->AsyncWrite(absl::StrCat("forward port ", port_, ": ", status.message()),
                     [self = shared_from_this()](const absl::Status&) {
                       if (self->done_) return;
                       self->data_->Reset();
                       self->End();
                     });
}

void Forwarding::FromClient() {
  data_->AsyncRead([self = shared_from_this()](absl::StatusOr<std::string> data) {
    if (self->done_) return;
    if (!data.ok()) {  // The client has reset the stream.
      self->End();
      return;
    }
    if (data->empty()) {
      error_code ignored;
      self->socket_->shutdown(tcp::socket::shutdown_send, ignored);
      self->EndDirection(&self->client_open_);
      return;
    }
    self->from_client_ = *std::move(data);
    asio::async_write(*self->socket_, asio::buffer(self->from_client_),
                      [self](error_code error, size_t) {
                        if (self->done_) return;
                        if (error) {
                          self->EndDirection(&self->client_open_);
                          return;
                        }
                        if (!self->pod_open_) self->ArmHalfClosed();
                        self->FromClient();
                      });
  });
}

void Forwarding::FromPod() {
  socket_->async_read_some(asio::buffer(from_pod_),
                           [self = shared_from_this()](error_code error, size_t n) {
                             if (self->done_) return;
                             if (error) {
                               self->data_->CloseWrite();
                               self->EndDirection(&self->pod_open_);
                               return;
                             }
                             self->data_->AsyncWrite(std::string(self->from_pod_.data(), n),
                                                     [self](const absl::Status& status) {
                                                       if (self->done_) return;
                                                       if (!status.ok()) {
                                                         self->End();
                                                         return;
                                                       }
                                                       if (!self->client_open_)
                                                         self->ArmHalfClosed();
                                                       self->FromPod();
                                                     });
                           });
}

void Forwarding::EndDirection(bool* open) {
  *open = false;
  if (client_open_ || pod_open_) {
    ArmHalfClosed();
  } else {
    End();
  }
}

void Forwarding::ArmHalfClosed() {
  half_closed_.expires_after(kHalfClosed);
  half_closed_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->done_) return;
    self->End();
  });
}

void Forwarding::End() {
  if (std::exchange(done_, true)) return;
  half_closed_.cancel();
  if (socket_ != nullptr) {
    error_code ignored;
    socket_->close(ignored);
  }
  error_->CloseWrite();
  data_->CloseWrite();
  // A direction of the client's that never ended must not keep the stream.
  if (client_open_) data_->Reset();
  if (on_end_) std::exchange(on_end_, nullptr)();
}

void Forwarding::Abort() {
  if (std::exchange(done_, true)) return;
  half_closed_.cancel();
  if (socket_ != nullptr) {
    error_code ignored;
    socket_->close(ignored);
  }
  on_end_ = nullptr;
}

}  // namespace crisp::cri
