// Local ports carried into a pod: each connection gets a stream of its own from CRI's
// PortForward, WebSocket v4.channel.k8s.io (channel 0 the bytes, 1 an error's text).
//
// That protocol cannot say that one direction has ended. After the local side has ended
// its own, the stream is kept while bytes come, and a few seconds longer.
//
// Threads: blocks in Run; everything is called on that thread. A call for a URL holds
//          up the other connections for its milliseconds.
// Errors:  of one connection go to on_error; Listen's carry address and port.
#ifndef CRISP_AGENT_STREAMING_CLIENT_PORT_FORWARD_H_
#define CRISP_AGENT_STREAMING_CLIENT_PORT_FORWARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::cli {

class PortForwarder {
 public:
  struct Hooks {
    // A new stream to a port of the pod.
    std::function<absl::StatusOr<std::string>(uint16_t remote)> url;
    std::function<void(uint16_t local)> on_connection;
    std::function<void(uint16_t local, const absl::Status& status)> on_error;
  };

  explicit PortForwarder(Hooks hooks);
  ~PortForwarder();
  PortForwarder(const PortForwarder&) = delete;
  PortForwarder& operator=(const PortForwarder&) = delete;

  // Returns the local port, which is chosen for 0.
  absl::StatusOr<uint16_t> Listen(const std::string& address, uint16_t local, uint16_t remote);

  // Carries until Stop, or SIGINT if `until_signal`.
  void Run(bool until_signal);
  // From any thread.
  void Stop();

 private:
  struct Work;
  const std::unique_ptr<Work> work_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_PORT_FORWARD_H_
