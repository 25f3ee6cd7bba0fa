#include "cri/streaming/streaming_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "base/background.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cri/streaming/http_session.h"
#include "cri/streaming/stream_context.h"
#include "cri/streaming/token_cache.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBlockingThreads = 4;
// Each holds some 100 KiB at most; clients beyond wait in the kernel's queue.
constexpr size_t kMaxConnections = 4096;
constexpr auto kAcceptBackoff = std::chrono::milliseconds(100);

absl::StatusOr<tcp::endpoint> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  uint32_t port = 0;
  if (error || !absl::SimpleAtoi(text.substr(colon + 1), &port) || port > UINT16_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("streaming address ", text, ": want IP:PORT, such as 127.0.0.1:0"));
  }
  if (address.is_unspecified()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "streaming address ", text, ": clients are sent there, so it must name one address"));
  }
  return tcp::endpoint(address, static_cast<uint16_t>(port));
}

// A peer that has lost its power is found out within some two minutes.
void KeepAlive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const std::pair<int, int> options[] = {{TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 15}, {TCP_KEEPCNT, 4}};
  for (const auto& [option, value] : options) {
    (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof(value));
  }
}

}  // namespace

struct StreamingServer::Impl {
  explicit Impl(const Clock* clock)
      : tokens(clock), blocking(std::make_unique<Background>(kBlockingThreads)) {}

  absl::Status Listen(const Options& options);
  absl::Status LoadTls(const Options& options);
  void Accept();
  void Run();

  TokenCache tokens;
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{
      asio::make_work_guard(io)};
  std::optional<asio::ssl::context> tls;
  tcp::acceptor acceptor{io};
  asio::steady_timer retry{io};
  StreamContext context;
  std::string base_url;

  // On the thread alone.
  std::map<uint64_t, std::function<void()>> connections;  // What ends each.
  uint64_t next_connection = 1;
  bool accepting = false;
  bool stopping = false;

  std::unique_ptr<Background> blocking;
  std::thread thread;
};

absl::Status StreamingServer::Impl::LoadTls(const Options& options) {
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return absl::InvalidArgumentError("TLS wants both a certificate and a key");
  }
  if (options.tls_cert_file.empty()) return absl::OkStatus();
  error_code error;
  tls.emplace(asio::ssl::context::tls_server);
  tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                       asio::ssl::context::no_tlsv1_1,
                   error);
  if (!error) tls->use_certificate_chain_file(options.tls_cert_file, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate ", options.tls_cert_file, ": ", error.message()));
  }
  tls->use_private_key_file(options.tls_key_file, asio::ssl::context::pem, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("key ", options.tls_key_file, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status StreamingServer::Impl::Listen(const Options& options) {
  CRISP_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseAddress(options.address));
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("listen on ", options.address, ": ", error.message()));
  }
  const tcp::endpoint bound = acceptor.local_endpoint(error);
  const std::string host = bound.address().is_v6()
                               ? absl::StrCat("[", bound.address().to_string(), "]")
                               : bound.address().to_string();
  base_url = absl::StrCat(tls.has_value() ? "https" : "http", "://", host, ":", bound.port());
  return absl::OkStatus();
}

void StreamingServer::Impl::Accept() {
  if (stopping || accepting || connections.size() >= kMaxConnections) return;
  accepting = true;
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    accepting = false;
    if (stopping) return;
    if (error) {  // Out of descriptors, most likely.
      retry.expires_after(kAcceptBackoff);
      retry.async_wait([this](error_code stopped) {
        if (!stopped) Accept();
      });
      return;
    }
    KeepAlive(socket);
    const uint64_t id = next_connection++;
    connections[id] = [] {};
    ServeHttp(
        context, std::move(socket), tls.has_value() ? &*tls : nullptr, &tokens,
        [this, id](std::function<void()> abort) {
          const auto it = connections.find(id);
          if (it != connections.end()) it->second = std::move(abort);
        },
        [this, id] {
          connections.erase(id);
          Accept();
        });
    Accept();
  });
}

void StreamingServer::Impl::Run() {
  while (true) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {
      // One connection's; the others go on.
      LogError("the streaming server caught an exception", {{"what", error.what()}});
    }
  }
}

absl::StatusOr<std::unique_ptr<StreamingServer>> StreamingServer::Start(const Options& options,
                                                                        const Clock* clock) {
  auto impl = std::make_unique<Impl>(clock);
  impl->context.executor = impl->io.get_executor();
  impl->context.blocking = impl->blocking.get();
  impl->context.idle_timeout = options.idle_timeout;
  impl->context.creation_timeout = options.creation_timeout;
  CRISP_RETURN_IF_ERROR(impl->LoadTls(options));
  CRISP_RETURN_IF_ERROR(impl->Listen(options));
  impl->Accept();
  impl->thread = std::thread([raw = impl.get()] { raw->Run(); });
  return std::unique_ptr<StreamingServer>(new StreamingServer(std::move(impl)));
}

StreamingServer::StreamingServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StreamingServer::~StreamingServer() { Stop(); }

absl::StatusOr<std::string> StreamingServer::Admit(StreamRequest request) {
  const char* const path = request.kind == StreamKind::kExec     ? "exec"
                           : request.kind == StreamKind::kAttach ? "attach"
                                                                 : "portforward";
  CRISP_ASSIGN_OR_RETURN(const std::string token, impl_->tokens.Add(std::move(request)));
  return absl::StrCat(impl_->base_url, "/", path, "/", token);
}

const std::string& StreamingServer::base_url() const { return impl_->base_url; }

void StreamingServer::Stop() {
  Impl& impl = *impl_;
  if (!impl.thread.joinable()) return;
  absl::Notification ended;
  asio::post(impl.io, [&impl, &ended] {
    impl.stopping = true;
    error_code ignored;
    impl.acceptor.close(ignored);
    impl.retry.cancel();
    std::vector<std::function<void()>> aborts;
    for (const auto& [id, abort] : impl.connections) aborts.push_back(abort);
    for (const auto& abort : aborts) abort();
    ended.Notify();
  });
  ended.WaitForNotification();
  // The thread ends when sessions that were being opened have come back, to be dropped;
  // dropping them is the last that the blocking threads do.
  impl.work.reset();
  impl.thread.join();
  impl.blocking.reset();
}

}  // namespace crisp::cri
