#include "cri/streaming/http_session.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "cri/streaming/http_upgrade.h"
#include "cri/streaming/protocol.h"
#include "cri/streaming/socket_transport.h"
#include "cri/streaming/spdy_command.h"
#include "cri/streaming/spdy_port_forward.h"
#include "cri/streaming/web_socket_serve.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr auto kRequestTimeout = std::chrono::seconds(30);
constexpr size_t kMaxHeaderBytes = 32 << 10;
constexpr char kSpdyVersions[] = "X-Stream-Protocol-Version";

std::vector<std::string> Values(const http::fields& fields, boost::beast::string_view name) {
  std::vector<std::string> values;
  const auto range = fields.equal_range(name);
  for (auto it = range.first; it != range.second; ++it) values.emplace_back(it->value());
  return values;
}

struct Target {
  StreamKind kind;
  std::string token;
};

// "/exec/TOKEN", whatever query follows.
std::optional<Target> ParseTarget(absl::string_view target) {
  target = target.substr(0, target.find('?'));
  for (const auto& [prefix, kind] :
       {std::pair<absl::string_view, StreamKind>("/exec/", StreamKind::kExec),
        {"/attach/", StreamKind::kAttach},
        {"/portforward/", StreamKind::kPortForward}}) {
    if (absl::StartsWith(target, prefix)) {
      return Target{kind, std::string(target.substr(prefix.size()))};
    }
  }
  return std::nullopt;
}

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(const StreamContext& context, asio::ip::tcp::socket socket, asio::ssl::context* tls,
              TokenCache* tokens, std::function<void(std::function<void()>)> set_abort,
              std::function<void()> on_gone)
      : context_(context),
        tokens_(tokens),
        set_abort_(std::move(set_abort)),
        on_gone_(std::move(on_gone)),
        socket_(std::in_place, std::move(socket), tls),
        timeout_(context.executor) {
    parser_.header_limit(kMaxHeaderBytes);
  }

  void Start() {
    set_abort_([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self != nullptr && self->socket_.has_value()) self->socket_->Close();
    });
    timeout_.expires_after(kRequestTimeout);
    timeout_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (!error && self != nullptr && self->socket_.has_value()) self->socket_->Close();
    });
    socket_->AsyncHandshake([self = shared_from_this()](error_code error) {
      if (error) {
        self->Gone();
      } else {
        self->Read();
      }
    });
  }

 private:
  using Request = http::request<http::empty_body>;

  void Read() {
    http::async_read_header(
        *socket_, buffer_, parser_, [self = shared_from_this()](error_code error, size_t) {
          if (error == http::error::header_limit) {
            self->Refuse(http::status::request_header_fields_too_large, "the request is too large");
          } else if (error) {
            self->Gone();
          } else {
            self->OnRequest(self->parser_.release());
          }
        });
  }

  void OnRequest(Request request) {
    if (request.method() != http::verb::get && request.method() != http::verb::post) {
      Refuse(http::status::method_not_allowed, "GET or POST");
      return;
    }
    const auto target = ParseTarget({request.target().data(), request.target().size()});
    if (!target.has_value()) {
      Refuse(http::status::not_found, "nothing is here");
      return;
    }
    std::optional<StreamRequest> wanted = tokens_->Take(target->kind, target->token);
    if (!wanted.has_value()) {
      Refuse(http::status::not_found, "the token is unknown, used up or too old");
      return;
    }
    const absl::string_view upgrade(request[http::field::upgrade].data(),
                                    request[http::field::upgrade].size());
    if (absl::EqualsIgnoreCase(upgrade, "websocket")) {
      ServeWebSocket(std::move(request), *std::move(wanted));
    } else if (absl::EqualsIgnoreCase(upgrade, "SPDY/3.1")) {
      ServeSpdy(request, *std::move(wanted));
    } else {
      Refuse(http::status::bad_request, "an upgrade to SPDY/3.1 or WebSocket is wanted");
    }
  }

  void ServeWebSocket(Request request, StreamRequest wanted) {
    if (!boost::beast::websocket::is_upgrade(request)) {
      Refuse(http::status::bad_request, "this is no WebSocket request");
      return;
    }
    const auto protocol = ChooseWebSocketProtocol(
        wanted.kind, HeaderItems(Values(request, "Sec-WebSocket-Protocol")));
    if (!protocol.has_value()) {
      Refuse(http::status::forbidden, "none of the client's protocols is served");
      return;
    }
    // Two channels a port, and base64 has a digit for them.
    const size_t max_ports = protocol->base64 ? 5 : 128;
    const bool channels = wanted.kind == StreamKind::kPortForward && !protocol->spdy_tunnel;
    if (channels && (wanted.ports.empty() || wanted.ports.size() > max_ports)) {
      Refuse(http::status::bad_request,
             absl::StrCat("this protocol forwards 1 to ", max_ports, " ports of the request"));
      return;
    }
    auto upgrade =
        std::make_unique<HttpUpgrade>(HttpUpgrade{TakeSocket(), std::move(request), std::string()});
    std::function<void()> abort;
    if (protocol->spdy_tunnel) {
      abort = ServeSpdyPortForward(context_, MakeWebSocketTunnel(std::move(upgrade), *protocol),
                                   std::move(wanted), TakeOnGone());
    } else {
      auto channels_of = MakeWebSocketChannels(context_, std::move(upgrade), *protocol);
      abort = wanted.kind == StreamKind::kPortForward
                  ? ServeWebSocketPortForward(context_, std::move(channels_of), std::move(wanted),
                                              TakeOnGone())
                  : ServeWebSocketCommand(context_, std::move(channels_of), std::move(wanted),
                                          *protocol, TakeOnGone());
    }
    set_abort_(std::move(abort));
  }

  void ServeSpdy(const Request& request, StreamRequest wanted) {
    const std::vector<std::string> versions = HeaderItems(Values(request, kSpdyVersions));
    if (versions.empty()) {
      Refuse(http::status::bad_request, absl::StrCat(kSpdyVersions, " is missing"));
      return;
    }
    const auto protocol = ChooseSpdyProtocol(wanted.kind, versions);
    if (!protocol.has_value()) {
      Refuse(http::status::forbidden, "none of the client's protocols is served",
             ServedSpdyProtocols(wanted.kind));
      return;
    }
    const auto response =
        std::make_shared<http::response<http::empty_body>>(http::status::switching_protocols, 11);
    response->set(http::field::connection, "Upgrade");
    response->set(http::field::upgrade, "SPDY/3.1");
    response->set(kSpdyVersions, protocol->name);
    http::async_write(
        *socket_, *response,
        [self = shared_from_this(), response, protocol = *protocol, wanted = std::move(wanted)](
            error_code error, size_t) mutable {
          if (error) {
            self->Gone();
            return;
          }
          const auto early = self->buffer_.data();
          std::string bytes(static_cast<const char*>(early.data()), early.size());
          auto transport = MakeSocketTransport(self->TakeSocket(), std::move(bytes));
          const StreamContext& context = self->context_;
          self->set_abort_(wanted.kind == StreamKind::kPortForward
                               ? ServeSpdyPortForward(context, std::move(transport),
                                                      std::move(wanted), self->TakeOnGone())
                               : ServeSpdyCommand(context, std::move(transport), std::move(wanted),
                                                  protocol, self->TakeOnGone()));
        });
  }

  void Refuse(http::status status, const std::string& reason,
              const std::vector<std::string>& accepted = {}) {
    LogDebug("a streaming request is refused",
             {{"status", static_cast<int>(status)}, {"reason", reason}});
    const auto response = std::make_shared<http::response<http::string_body>>(status, 11);
    response->set(http::field::content_type, "text/plain; charset=utf-8");
    for (const std::string& protocol : accepted) {
      response->insert("X-Accepted-Stream-Protocol-Versions", protocol);
    }
    response->keep_alive(false);
    response->body() = reason + "\n";
    response->prepare_payload();
    http::async_write(
        *socket_, *response, [self = shared_from_this(), response](error_code, size_t) {
          error_code ignored;
          self->socket_->tcp().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
          self->Gone();
        });
  }

  ClientSocket TakeSocket() {
    timeout_.cancel();
    ClientSocket socket = *std::move(socket_);
    socket_.reset();
    return socket;
  }

  std::function<void()> TakeOnGone() { return std::exchange(on_gone_, nullptr); }

  void Gone() {
    timeout_.cancel();
    if (on_gone_) TakeOnGone()();
  }

  const StreamContext context_;
  TokenCache* const tokens_;
  const std::function<void(std::function<void()>)> set_abort_;
  std::function<void()> on_gone_;
  std::optional<ClientSocket> socket_;
  asio::steady_timer timeout_;
  boost::beast::flat_buffer buffer_{kMaxHeaderBytes};
  http::request_parser<http::empty_body> parser_;
};

}  // namespace

void ServeHttp(const StreamContext& context, asio::ip::tcp::socket socket, asio::ssl::context* tls,
               TokenCache* tokens, std::function<void(std::function<void()>)> set_abort,
               std::function<void()> on_gone) {
  std::make_shared<HttpSession>(context, std::move(socket), tls, tokens, std::move(set_abort),
                                std::move(on_gone))
      ->Start();
}

}  // namespace crisp::cri
