// What gRPC adds to HTTP/2: messages with a length before them, time-outs and status
// texts in headers ("gRPC over HTTP2", grpc.io).
//
// Threads: free functions; a MessageReader belongs to one thread.
// Errors:  MessageReader: ResourceExhausted for a message that is too long, Unimplemented
//          for a compressed one, Internal for a stream that is not gRPC's.
#ifndef CRISP_GRPC_SERVER_WIRE_H_
#define CRISP_GRPC_SERVER_WIRE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace crisp::grpcserver {

// Before each message: a flag (compressed or not) and the length, big-endian.
inline constexpr size_t kPrefixBytes = 5;
using Prefix = std::array<char, kPrefixBytes>;

// `size` is below 4 GiB: the format has four bytes for it.
Prefix PrefixFor(size_t size);

// Takes a request's messages out of its DATA frames, which may end anywhere.
class MessageReader {
 public:
  explicit MessageReader(size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}

  // Eats from the front of `data` until a message is whole or nothing is left.
  // Nothing comes back in the latter case.
  absl::StatusOr<std::optional<std::string>> Next(absl::string_view* data);

  // A message has begun and is not whole.
  bool midway() const { return prefix_bytes_ > 0; }

 private:
  const size_t max_message_bytes_;
  Prefix prefix_ = {};
  size_t prefix_bytes_ = 0;  // Of the prefix that have come.
  size_t wanted_ = 0;        // The message's length, once the prefix is whole.
  std::string message_;
};

// The value of grpc-timeout, such as "5S" or "200m"; nothing if it is not one. Values that
// do not fit become the longest that does.
std::optional<absl::Duration> ParseTimeout(absl::string_view value);

// The value of grpc-message: percent-encoded, at most `max_bytes` of it, cut between
// characters.
std::string EncodeStatusMessage(absl::string_view message, size_t max_bytes);

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_WIRE_H_
