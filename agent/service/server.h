// The agent's socket.
//
// Ownership: borrows the context; owns the service, the server and the socket file.
// Threads:   gRPC's own.
// Errors:    FailedPrecondition when another agent serves the socket; else why it cannot
//            be listened on.
#ifndef CRISP_AGENT_SERVICE_SERVER_H_
#define CRISP_AGENT_SERVICE_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/service/service_context.h"

namespace crisp::agent {

class AgentServer {
 public:
  // `listen`: unix:///PATH. The socket is 0600, its directory, if made here, 0700. One that
  // a dead agent left is replaced.
  // Until Open every call is answered with UNAVAILABLE. Sets the umask for a moment: to be
  // called before there are threads that make files.
  static absl::StatusOr<std::unique_ptr<AgentServer>> Start(const std::string& listen,
                                                            const ServiceContext* context);
  ~AgentServer();

  // All that the context names works now.
  void Open();

  // Ends the watches, takes no more calls, and lets those under way end for `grace`.
  void Stop(absl::Duration grace);

 private:
  struct Parts;
  explicit AgentServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SERVICE_SERVER_H_
