// A gRPC server on a unix socket: HTTP/2 by nghttp2, two threads that share the connections,
// and a pool of threads for handlers that take their time. Why not gRPC's own server:
// docs/decisions/011-grpc-server.md.
//
//   Methods methods;
//   methods["/runtime.v1.RuntimeService/Version"] = Unary<VersionRequest, VersionResponse>(f);
//   auto server = GrpcServer::Start({.path = "/run/crisp/crisp.sock", ...});
//
// It takes plain gRPC as kubelet, crictl and gRPC's libraries speak it: unary calls and
// streams of either side, deadlines, cancellation; no compression, no TLS.
//
// Ownership: owns the socket's file, the threads and the connections.
// Threads:   Start and Stop from one; handlers as methods.h says.
// Errors:    errno of the socket from Start.
// Crash:     nothing is kept; the next Start replaces the socket's file.
#ifndef CRISP_GRPC_SERVER_GRPC_SERVER_H_
#define CRISP_GRPC_SERVER_GRPC_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "grpc_server/methods.h"
#include "grpc_server/session.h"

namespace crisp::grpcserver {

class GrpcServer {
 public:
  struct Options {
    std::string path;  // Of the socket; its directory exists. Mode 0600 from the start.
    Methods methods;
    const Clock* clock = Clock::Real();
    std::function<void(const Outcome&)> observe = [](const Outcome&) {};
  };

  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(Options options);
  ~GrpcServer();  // As Stop at once.
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Takes no new calls, gives those under way `grace` to end, then cancels them and waits
  // for their handlers. Idempotent.
  void Stop(absl::Duration grace);

 private:
  struct Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_GRPC_SERVER_H_
