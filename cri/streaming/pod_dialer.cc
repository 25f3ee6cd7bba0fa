#include "cri/streaming/pod_dialer.h"

#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "netns/in_netns.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Loopback answers at once, unless somebody filters it.
constexpr auto kDialTimeout = std::chrono::seconds(30);

struct PodSockets {
  UniqueFd v4, v6;  // v6 is closed where the pod has no IPv6.
};

absl::Status MakeSockets(PodSockets* sockets) {
  CRISP_ASSIGN_OR_RETURN(sockets->v4, SysFd("socket", [] {
                           return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                         }));
  auto v6 = SysFd("socket",
                  [] { return ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); });
  if (v6.ok()) sockets->v6 = *std::move(v6);
  return absl::OkStatus();
}

class Dialing : public std::enable_shared_from_this<Dialing> {
 public:
  Dialing(const StreamContext& context, uint16_t port, DialHandler handler)
      : port_(port), handler_(std::move(handler)), timeout_(context.executor) {}

  void Start(absl::StatusOr<std::shared_ptr<PodSockets>> sockets) {
    if (!sockets.ok()) {
      Done(sockets.status());
      return;
    }
    sockets_ = *std::move(sockets);
    timeout_.expires_after(kDialTimeout);
    timeout_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr || self->socket_ == nullptr) return;
      error_code ignored;
      self->socket_->close(ignored);  // Its connect fails.
    });
    Connect(std::move(sockets_->v4), tcp::endpoint(asio::ip::address_v4::loopback(), port_));
  }

 private:
  void Connect(UniqueFd fd, const tcp::endpoint& to) {
    socket_ = std::make_shared<tcp::socket>(timeout_.get_executor());
    error_code error;
    socket_->assign(to.protocol(), fd.get(), error);
    if (error) {
      Done(absl::InternalError(error.message()));
      return;
    }
    (void)fd.release();
    socket_->async_connect(
        to, [self = shared_from_this()](error_code failed) { self->OnConnected(failed); });
  }

  void OnConnected(error_code error) {
    if (!error) {
      Done(std::move(socket_));
      return;
    }
    if (!first_error_) first_error_ = error;
    if (sockets_->v6.ok()) {
      Connect(std::move(sockets_->v6), tcp::endpoint(asio::ip::address_v6::loopback(), port_));
      return;
    }
    Done(absl::UnavailableError(
        absl::StrCat("connect to localhost:", port_, " in the pod: ", first_error_.message())));
  }

  void Done(absl::StatusOr<std::shared_ptr<tcp::socket>> result) {
    timeout_.cancel();
    std::exchange(handler_, nullptr)(std::move(result));
  }

  const uint16_t port_;
  DialHandler handler_;
  asio::steady_timer timeout_;
  std::shared_ptr<PodSockets> sockets_;
  std::shared_ptr<tcp::socket> socket_;
  error_code first_error_;
};

}  // namespace

void DialPod(const StreamContext& context, const std::string& netns_path, uint16_t port,
             DialHandler handler) {
  auto dialing = std::make_shared<Dialing>(context, port, std::move(handler));
  context.blocking->Post(
      [executor = context.executor, work = context.Work(), netns_path, dialing]() mutable {
        auto sockets = std::make_shared<PodSockets>();
        const auto make = [&sockets] { return MakeSockets(sockets.get()); };
        const absl::Status made = netns_path.empty() ? make() : netns::RunInNetNs(netns_path, make);
        absl::StatusOr<std::shared_ptr<PodSockets>> result = std::move(sockets);
        if (!made.ok()) result = made;
        asio::post(executor, [dialing = std::move(dialing), result = std::move(result)]() mutable {
          dialing->Start(std::move(result));
        });
      });
}

}  // namespace crisp::cri
