// A gRPC client that does as little as can be done: one connection, one call at a time, the
// answer's bytes counted and thrown away. Where client and server share the processors, a
// client that costs more than the server would be all that is measured.
//
// Ownership: owns its connection.
// Threads:   one client belongs to one thread.
// Errors:    errno of the socket; the server's status, code and message; Internal if the
//            server does not speak HTTP/2.
#ifndef CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_
#define CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::podbench {

class RawClient {
 public:
  static absl::StatusOr<std::unique_ptr<RawClient>> Connect(const std::string& socket);
  ~RawClient() { nghttp2_session_del(http2_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Calls `path` ("/package.Service/Method") with an encoded request; the size of the answer.
  absl::StatusOr<size_t> Call(const std::string& path, const std::string& request);

 private:
  // The call under way.
  struct Exchange {
    std::string request;  // Framed.
    size_t sent = 0;
    size_t received = 0;
    std::optional<int> grpc_status;
    std::string grpc_message;
    bool closed = false;
  };
  struct Callbacks;

  explicit RawClient(UniqueFd fd) : fd_(std::move(fd)) {}

  absl::Status Send();
  absl::Status Receive();

  const UniqueFd fd_;
  nghttp2_session* http2_ = nullptr;
  Exchange exchange_;
  std::array<char, 64 << 10> buffer_;
};

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_
