// Talking from one namespace to another, for tests.
//
// Threads: each server is a thread of its own in its namespace until destroyed.
#ifndef CRISP_NETNS_TESTING_SOCKETS_H_
#define CRISP_NETNS_TESTING_SOCKETS_H_

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::netns {

// Answers each client with the address that it sees the client come from.
class WhoAmIServer {
 public:
  // `protocol`: "tcp", "udp" or "sctp"; port on every address of `netns_path`.
  static absl::StatusOr<std::unique_ptr<WhoAmIServer>> Start(const std::string& netns_path,
                                                             const std::string& protocol, int port);
  ~WhoAmIServer();

 private:
  WhoAmIServer(UniqueFd socket, bool datagrams);
  void Serve();

  UniqueFd socket_;
  UniqueFd stop_read_, stop_write_;
  bool datagrams_;
  std::thread thread_;
};

// A UDP client that keeps its socket, and so its source port, in the caller's
// namespace. Ask waits half a second for an answer.
class SteadyUdpClient {
 public:
  static absl::StatusOr<SteadyUdpClient> Make(const std::string& ip, int port);
  absl::StatusOr<std::string> Ask();

 private:
  explicit SteadyUdpClient(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

// Asks such a server from within `netns_path` ("" for the caller's namespace), for
// at most two seconds.
absl::StatusOr<std::string> WhoAmI(const std::string& netns_path, const std::string& protocol,
                                   const std::string& ip, int port);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_TESTING_SOCKETS_H_
