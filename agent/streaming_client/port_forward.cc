#include "agent/streaming_client/port_forward.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/streaming_client/web_socket_connect.h"

namespace crisp::cli {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// v5 tells either side when the other has ended its sending; crispd speaks it for this, too.
constexpr char kV5[] = "v5.channel.k8s.io";
constexpr char kProtocols[] = "v5.channel.k8s.io, v4.channel.k8s.io";
constexpr unsigned char kEndOfChannel = 255;
// Without v5: how long an answer may still be on its way.
constexpr auto kAfterLocalEnd = std::chrono::seconds(5);
constexpr auto kAcceptAgain = std::chrono::milliseconds(100);

// One connection and its stream; lives in its own callbacks.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, tcp::socket local,
             std::function<void(const absl::Status&)> on_error)
      : local_(std::move(local)), socket_(io), quiet_(io), on_error_(std::move(on_error)) {}

  void Start(const std::string& url) {
    const auto chosen = ConnectWebSocket(url, kProtocols, &socket_);
    if (!chosen.ok()) return on_error_(chosen.status());
    tells_end_ = *chosen == kV5;
    ReadLocal();
    ReadRemote();
  }

 private:
  void ReadLocal() {
    local_.async_read_some(asio::buffer(from_local_ + 1, sizeof(from_local_) - 1),
                           [self = shared_from_this()](const error_code& error, size_t got) {
                             if (error) return self->OnLocalEnd();
                             self->from_local_[0] = 0;  // The channel.
                             self->socket_.async_write(asio::buffer(self->from_local_, got + 1),
                                                       [self](const error_code& failed, size_t) {
                                                         if (!failed) self->ReadLocal();
                                                       });
                           });
  }

  void OnLocalEnd() {
    local_ended_ = true;
    if (!tells_end_) return AwaitQuiet();
    if (remote_ended_) return Close();
    from_local_[0] = static_cast<char>(kEndOfChannel);
    from_local_[1] = 0;  // The channel that ends.
    socket_.async_write(asio::buffer(from_local_, 2),
                        [self = shared_from_this()](const error_code&, size_t) {});
  }

  // The pod will send no more; what the local side still has goes on.
  void OnRemoteEnd() {
    remote_ended_ = true;
    if (local_ended_) return Close();
    error_code ignored;
    local_.shutdown(tcp::socket::shutdown_send, ignored);
    NextRemote();
  }

  void AwaitQuiet() {
    quiet_.expires_after(kAfterLocalEnd);
    quiet_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->Close();
    });
  }

  void ReadRemote() {
    socket_.async_read(buffer_, [self = shared_from_this()](const error_code& error, size_t) {
      if (error) return self->Close();
      self->OnRemote();
    });
  }

  void OnRemote() {
    const absl::string_view message(static_cast<const char*>(buffer_.data().data()),
                                    buffer_.size());
    const size_t channel = message.empty() ? 2 : static_cast<unsigned char>(message[0]);
    if (channel == kEndOfChannel && tells_end_) {
      return message.substr(1) == absl::string_view("\0", 1) ? OnRemoteEnd() : NextRemote();
    }
    if (channel > 1) return NextRemote();
    absl::string_view bytes = message.substr(1);
    // Each channel begins with the port's number.
    const size_t head = std::min(bytes.size(), heads_[channel]);
    heads_[channel] -= head;
    bytes.remove_prefix(head);
    if (bytes.empty()) return NextRemote();
    if (channel == 1) {
      on_error_(absl::UnavailableError(bytes));
      return Close();
    }
    if (local_ended_ && !tells_end_) AwaitQuiet();
    asio::async_write(local_, asio::buffer(bytes.data(), bytes.size()),
                      [self = shared_from_this()](const error_code& error, size_t) {
                        error ? self->Close() : self->NextRemote();
                      });
  }

  void NextRemote() {
    buffer_.clear();
    ReadRemote();
  }

  void Close() {
    quiet_.cancel();
    error_code ignored;
    local_.shutdown(tcp::socket::shutdown_both, ignored);
    local_.close(ignored);
    boost::beast::get_lowest_layer(socket_).close();
  }

  tcp::socket local_;
  WebSocket socket_;
  asio::steady_timer quiet_;
  const std::function<void(const absl::Status&)> on_error_;
  boost::beast::flat_buffer buffer_;
  char from_local_[32 << 10];
  size_t heads_[2] = {2, 2};
  bool tells_end_ = false;
  bool local_ended_ = false, remote_ended_ = false;
};

}  // namespace

struct PortForwarder::Work {
  explicit Work(Hooks given) : hooks(std::move(given)), signals(io), again(io) {}

  struct Port {
    tcp::acceptor acceptor;
    uint16_t local, remote;
  };

  void Accept(Port& port) {
    port.acceptor.async_accept([this, &port](const error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, say: a little later there may be some.
        again.expires_after(kAcceptAgain);
        again.async_wait([this, &port](const error_code& stopped) {
          if (!stopped) Accept(port);
        });
        return;
      }
      Serve(port, std::move(socket));
      Accept(port);
    });
  }

  void Serve(const Port& port, tcp::socket socket) {
    hooks.on_connection(port.local);
    const absl::StatusOr<std::string> url = hooks.url(port.remote);
    if (!url.ok()) return hooks.on_error(port.local, url.status());
    std::make_shared<Connection>(
        io, std::move(socket),
        [this, local = port.local](const absl::Status& status) { hooks.on_error(local, status); })
        ->Start(*url);
  }

  const Hooks hooks;
  asio::io_context io;
  asio::signal_set signals;
  asio::steady_timer again;
  std::list<Port> ports;
};

PortForwarder::PortForwarder(Hooks hooks) : work_(std::make_unique<Work>(std::move(hooks))) {}
PortForwarder::~PortForwarder() = default;

absl::StatusOr<uint16_t> PortForwarder::Listen(const std::string& address, uint16_t local,
                                               uint16_t remote) {
  error_code error;
  const auto failed = [&](const char* what) {
    return StreamError(error, absl::StrCat("unable to ", what, " ", address, ":", local));
  };
  const auto ip = asio::ip::make_address(address, error);
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("--address ", address, " is not an IP address"));
  }
  tcp::acceptor acceptor(work_->io);
  const tcp::endpoint endpoint(ip, local);
  acceptor.open(endpoint.protocol(), error);
  if (error) return failed("open a socket for");
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed("listen on");
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen on");
  const uint16_t chosen = acceptor.local_endpoint(error).port();
  work_->ports.push_back({std::move(acceptor), chosen, remote});
  work_->Accept(work_->ports.back());
  return chosen;
}

void PortForwarder::Run(bool until_signal) {
  if (until_signal) {
    error_code ignored;
    work_->signals.add(SIGINT, ignored);
    work_->signals.async_wait([this](const error_code& error, int) {
      if (!error) work_->io.stop();
    });
  }
  work_->io.run();
}

void PortForwarder::Stop() { work_->io.stop(); }

}  // namespace crisp::cli
