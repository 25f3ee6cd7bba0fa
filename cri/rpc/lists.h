// What the list RPCs and their streaming twins share.
//
// Threads: free functions.
#ifndef CRISP_CRI_RPC_LISTS_H_
#define CRISP_CRI_RPC_LISTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cri/rpc/encoded_list.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

// A part of a stream: well below what clients receive in one message, and large enough
// that a hundred pods are one.
inline constexpr size_t kPartBytes = 1 << 20;
inline constexpr size_t kWhole = SIZE_MAX;

template <typename Filter>
bool IsEmpty(const Filter& filter) {
  return filter.ByteSizeLong() == 0;
}

// Encoded entries are fields of the streaming response, too.
inline absl::Status SendParts(const std::vector<Encoded>& parts, const Send<Encoded>& send) {
  for (const Encoded& part : parts) {
    if (!send(part)) return absl::CancelledError("the client is gone");
  }
  return absl::OkStatus();
}

// Sends messages of about kPartBytes, however many objects those are.
template <typename Response>
class PartSender {
 public:
  explicit PartSender(const Send<Response>& send) : send_(send) {}

  Response& next() { return next_; }  // To add one object to.

  // After each: false once the client is gone.
  bool Added() {
    if (next_.ByteSizeLong() >= kPartBytes) SendNext();
    return !gone_;
  }

  // At least one message is sent.
  absl::Status Finish() {
    if (!gone_ && (!sent_ || next_.ByteSizeLong() > 0)) SendNext();
    return gone_ ? absl::CancelledError("the client is gone") : absl::OkStatus();
  }

 private:
  void SendNext() {
    gone_ = !send_(next_);
    sent_ = true;
    next_.Clear();
  }

  const Send<Response>& send_;
  Response next_;
  bool sent_ = false;
  bool gone_ = false;
};

}  // namespace crisp::cri::rpc

#endif  // CRISP_CRI_RPC_LISTS_H_
