#include "grpc_server/outgoing_message.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace crisp::grpcserver {
namespace {

// gRPC's clients take less, unless told otherwise; kubelet takes 16 MiB.
constexpr size_t kMaxMessageBytes = 64 << 20;

}  // namespace

absl::StatusOr<OutgoingMessage> OutgoingMessage::Make(Message message) {
  if (message->size() > kMaxMessageBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the answer has ", message->size(),
                                                     " bytes, more than the ", kMaxMessageBytes,
                                                     " that are sent"));
  }
  return OutgoingMessage(std::move(message));
}

size_t OutgoingMessage::Fill(uint8_t* buffer, size_t size) {
  size_t filled = 0;
  while (filled < size && !sent()) {
    const absl::string_view part =
        sent_ < kPrefixBytes ? absl::string_view(prefix_.data(), kPrefixBytes).substr(sent_)
                             : absl::string_view(*message_).substr(sent_ - kPrefixBytes);
    const size_t n = std::min(part.size(), size - filled);
    std::memcpy(buffer + filled, part.data(), n);
    filled += n;
    sent_ += n;
  }
  return filled;
}

}  // namespace crisp::grpcserver
