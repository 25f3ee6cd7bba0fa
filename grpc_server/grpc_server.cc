#include "grpc_server/grpc_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/elastic_pool.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "grpc_server/connection.h"

namespace crisp::grpcserver {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

// As many handlers as may wait at a time; each waits for a container, say.
constexpr int kMaxHandlers = 4096;
constexpr auto kAcceptBackoff = std::chrono::milliseconds(100);
// How often Stop looks whether the last call has ended.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(5);

absl::StatusOr<UniqueFd> Listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket, which has ",
                                                   sizeof(address.sun_path) - 1, " bytes"));
  }
  path.copy(address.sun_path, path.size());
  if (::unlink(path.c_str()) == -1 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("replace the socket ", path));
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd("socket", [] {
                           return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                         }));
  // The socket is born unreachable for others, not made so afterwards.
  CRISP_RETURN_IF_ERROR(Sys("fchmod", [&] { return ::fchmod(fd.get(), 0600); }));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("bind ", path), [&] {
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("listen ", path), [&] { return ::listen(fd.get(), SOMAXCONN); }));
  return fd;
}

}  // namespace

struct GrpcServer::Impl {
  explicit Impl(Options options_in)
      : path(std::move(options_in.path)),
        methods(std::move(options_in.methods)),
        pool(kMaxHandlers),
        acceptor(io),
        accept_again(io) {
    session.methods = &methods;
    session.clock = options_in.clock;
    session.run = [this](std::function<void()> handler) { pool.Post(std::move(handler)); };
    session.observe = std::move(options_in.observe);
  }

  void Accept();
  void OnLoop(std::function<void()> function);
  template <typename F>  // void F(Connection&)
  void ForEach(F f);

  const std::string path;
  const Methods methods;
  SessionOptions session;
  ElasticPool pool;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  stream_protocol::acceptor acceptor;
  asio::steady_timer accept_again;
  std::list<std::weak_ptr<Connection>> connections;  // The loop's.
  std::thread loop;
};

void GrpcServer::Impl::Accept() {
  acceptor.async_accept([this](error_code error, stream_protocol::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {
      LogWarn("a client cannot be accepted", {{"reason", error.message()}});
      accept_again.expires_after(kAcceptBackoff);
      accept_again.async_wait([this](error_code stopped) {
        if (!stopped) Accept();
      });
      return;
    }
    connections.remove_if([](const std::weak_ptr<Connection>& gone) { return gone.expired(); });
    const auto connection = std::make_shared<Connection>(std::move(socket), session);
    connections.push_back(connection);
    connection->Start();
    Accept();
  });
}

// Runs `function` on the loop, to its end.
void GrpcServer::Impl::OnLoop(std::function<void()> function) {
  absl::Notification done;
  asio::post(io, [&] {
    function();
    done.Notify();
  });
  done.WaitForNotification();
}

template <typename F>
void GrpcServer::Impl::ForEach(F f) {
  for (const std::weak_ptr<Connection>& weak : connections) {
    if (const auto connection = weak.lock()) f(*connection);
  }
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(Options options) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Listen(options.path));
  auto impl = std::make_unique<Impl>(std::move(options));
  error_code error;
  impl->acceptor.assign(stream_protocol(), fd.get(), error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("listen on ", impl->path, ": ", error.message()));
  }
  (void)fd.release();
  impl->Accept();
  impl->loop = std::thread([io = &impl->io] { io->run(); });
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { Stop(absl::ZeroDuration()); }

void GrpcServer::Stop(absl::Duration grace) {
  Impl& impl = *impl_;
  if (!impl.loop.joinable()) return;
  impl.OnLoop([&impl] {
    error_code ignored;
    impl.acceptor.close(ignored);
    impl.accept_again.cancel();
    impl.ForEach([](Connection& connection) { connection.Drain(); });
  });
  const absl::Duration deadline = impl.session.clock->Steady() + grace;
  bool idle = false;
  while (!idle && impl.session.clock->Steady() < deadline) {
    idle = true;
    impl.OnLoop([&] { impl.ForEach([&](Connection& one) { idle = idle && one.idle(); }); });
    if (!idle) absl::SleepFor(kDrainPoll);
  }
  impl.OnLoop([&impl] { impl.ForEach([](Connection& connection) { connection.CancelCalls(); }); });
  impl.pool.Stop();
  impl.OnLoop([&impl] { impl.ForEach([](Connection& connection) { connection.Close(); }); });
  impl.work.reset();
  impl.loop.join();
  (void)::unlink(impl.path.c_str());
}

}  // namespace crisp::grpcserver
