// A message on its way to a client: its prefix, then its bytes, in parts of any size.
//
// Ownership: shares the message with whoever keeps it.
// Threads:   one at a time.
// Errors:    Make: ResourceExhausted for a message that no client would take.
#ifndef CRISP_GRPC_SERVER_OUTGOING_MESSAGE_H_
#define CRISP_GRPC_SERVER_OUTGOING_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grpc_server/wire.h"

namespace crisp::grpcserver {

using Message = std::shared_ptr<const std::string>;

class OutgoingMessage {
 public:
  static absl::StatusOr<OutgoingMessage> Make(Message message);

  // With its prefix.
  size_t size() const { return kPrefixBytes + message_->size(); }
  bool sent() const { return sent_ == size(); }
  // Copies the next part, at most `size` bytes, and returns its size.
  size_t Fill(uint8_t* buffer, size_t size);

 private:
  explicit OutgoingMessage(Message message)
      : prefix_(PrefixFor(message->size())), message_(std::move(message)) {}

  Prefix prefix_;
  Message message_;
  size_t sent_ = 0;
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_OUTGOING_MESSAGE_H_
