// The gRPC server on crispd's socket.
//
// Ownership: borrows the services; owns the socket file and takes it away.
// Threads:   gRPC's own.
// Errors:    why the address cannot be listened on.
#ifndef CRISP_CRI_MAIN_SERVER_H_
#define CRISP_CRI_MAIN_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crisp::cri {

class Server {
 public:
  // `listen`: unix:///PATH. A socket that an earlier crispd left is replaced; the
  // caller holds the state lock, so nobody serves it.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& listen,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();

  // Takes no more calls, lets those under way end for `grace`, then cuts them.
  void Stop(absl::Duration grace);

 private:
  Server(std::string path, std::unique_ptr<grpc::Server> server);

  const std::string path_;
  const std::unique_ptr<grpc::Server> server_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_SERVER_H_
