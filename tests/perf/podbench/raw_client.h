// A gRPC client that does as little as can be done: one method, one connection with a number of
// calls on it at a time, as kubelet has; every call is the same bytes, and an answer's are
// counted and thrown away, but for its status. Where client and server share the processors, a
// client that costs more than the server would be all that is measured.
//
// Ownership: owns its connection.
// Threads:   one client belongs to one thread.
// Errors:    errno of the socket; the server's status, code and message; InvalidArgument for a
//            request that does not fit one frame; Internal if the server does not speak HTTP/2
//            (RFC 9113), or parts of it that gRPC servers do not use.
#ifndef CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_
#define CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace crisp::podbench {

class RawClient {
 public:
  struct Answers {
    size_t calls = 0;
    size_t bytes = 0;  // Of the last one.
  };

  // `path`, of the method, is "/package.Service/Method".
  static absl::StatusOr<std::unique_ptr<RawClient>> Connect(const std::string& socket,
                                                            absl::string_view path);
  ~RawClient() { nghttp2_hd_inflate_del(inflater_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Calls with an encoded request, `at_once` calls at any time, until `duration` has passed;
  // those under way then are waited for. At least `at_once` calls are made.
  absl::StatusOr<Answers> Call(const std::string& request, int at_once, absl::Duration duration);

 private:
  static constexpr size_t kFrameHeaderBytes = 9;

  struct Frame {
    uint8_t type = 0;
    uint8_t flags = 0;
    uint32_t stream = 0;
    size_t left = 0;      // Of the payload.
    std::string payload;  // Not kept for data.
  };

  explicit RawClient(UniqueFd fd) : fd_(std::move(fd)) {}

  void Begin(absl::string_view body);
  absl::Status Send();
  absl::Status Receive();
  absl::Status Take(absl::string_view bytes);
  // The frame that has come whole.
  absl::Status OnFrame();
  absl::Status OnHeaders();
  void OnData(size_t bytes);

  const UniqueFd fd_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string headers_;  // Of the next call.
  uint32_t next_stream_ = 1;
  absl::flat_hash_map<uint32_t, size_t> under_way_;  // Bytes of each stream's answer.
  size_t unacknowledged_ = 0;                        // Of the connection's window.
  Answers answers_;
  std::string out_;
  std::string begun_;  // A frame's header that has come in part.
  Frame frame_;
  bool in_frame_ = false;
  std::array<char, 256 << 10> buffer_;
};

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_RAW_CLIENT_H_
