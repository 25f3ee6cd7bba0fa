#include "grpc_server/grpc_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/elastic_pool.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "grpc_server/connection.h"
#include "grpc_server/loop.h"

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
  if (::unlink(path.c_str()) == -1 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("replace the socket ", path));
  }
  return ListenUnix(path, SOMAXCONN);
}

}  // namespace

struct GrpcServer::Impl {
  explicit Impl(Options options_in)
      : path(std::move(options_in.path)),
        methods(std::move(options_in.methods)),
        pool(kMaxHandlers),
        acceptor(loops[0].io()),
        accept_again(loops[0].io()) {
    session.methods = &methods;
    session.clock = options_in.clock;
    session.run = [this](std::function<void()> handler) { pool.Post(std::move(handler)); };
    session.observe = std::move(options_in.observe);
  }

  void Accept();
  void ForEach(const std::function<void(Connection&)>& function) {
    for (Loop& loop : loops) loop.ForEach(function);
  }

  const std::string path;
  const Methods methods;
  SessionOptions session;
  ElasticPool pool;
  // Two, so that a client whose long lists are copied holds up half of the others at most.
  std::array<Loop, 2> loops{Loop(&session), Loop(&session)};
  size_t next = 0;  // The loop that the next client gets.
  stream_protocol::acceptor acceptor;
  asio::steady_timer accept_again;
  bool stopped = false;
};

void GrpcServer::Impl::Accept() {
  Loop& loop = loops[next++ % loops.size()];
  acceptor.async_accept(loop.io(), [this, &loop](error_code error, Connection::Socket socket) {
    // A client that was taken just before the acceptor closed is heard of afterwards.
    if (!acceptor.is_open()) return;
    if (error) {
      LogWarn("a client cannot be accepted", {{"reason", error.message()}});
      accept_again.expires_after(kAcceptBackoff);
      accept_again.async_wait([this](error_code stopped) {
        if (!stopped && acceptor.is_open()) Accept();
      });
      return;
    }
    loop.Add(std::move(socket));
    Accept();
  });
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
  // The one that accepts is last: a loop that cannot start leaves nothing under way.
  for (auto loop = impl->loops.rbegin(); loop != impl->loops.rend(); ++loop) {
    CRISP_RETURN_IF_ERROR(loop->Start());
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { Stop(absl::ZeroDuration()); }

void GrpcServer::Stop(absl::Duration grace) {
  Impl& impl = *impl_;
  if (std::exchange(impl.stopped, true)) return;
  impl.loops[0].Run([&impl] {
    error_code ignored;
    impl.acceptor.close(ignored);
    impl.accept_again.cancel();
  });
  impl.ForEach([](Connection& connection) { connection.Drain(); });
  const absl::Duration deadline = impl.session.clock->Steady() + grace;
  bool idle = false;
  while (!idle && impl.session.clock->Steady() < deadline) {
    idle = true;
    impl.ForEach([&](Connection& one) { idle = idle && one.idle(); });
    if (!idle) absl::SleepFor(kDrainPoll);
  }
  impl.ForEach([](Connection& connection) { connection.CancelCalls(); });
  impl.pool.Stop();
  for (Loop& loop : impl.loops) loop.Stop();
  (void)::unlink(impl.path.c_str());
}

}  // namespace crisp::grpcserver
