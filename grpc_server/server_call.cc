#include "grpc_server/server_call.h"

#include <utility>

#include "base/status_macros.h"

namespace crisp::grpcserver {
namespace {

// What a stream may have waiting for a client that is slow.
constexpr size_t kQueueBytes = 64 << 10;
// How soon a handler that waits for its client notices that its time is over.
constexpr absl::Duration kPoll = absl::Seconds(1);

}  // namespace

ServerCall::ServerCall(const Clock* clock, absl::Duration deadline, std::string request,
                       std::shared_ptr<const Wake> wake, int32_t stream)
    : clock_(*clock),
      deadline_(deadline),
      wake_(std::move(wake)),
      stream_(stream),
      call_{.abandoned = [this] { return cancelled(); }, .expired = [this] { return expired(); }},
      request_(std::move(request)) {}

bool ServerCall::cancelled() const {
  if (deadline_ != absl::InfiniteDuration() && expired()) return true;
  absl::MutexLock lock(&mu_);
  return cancelled_;
}

std::optional<std::string> ServerCall::Read() {
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithTimeout(absl::Condition(this, &ServerCall::CanRead), kPoll)) {
    if (expired()) return std::nullopt;
  }
  if (cancelled_ || incoming_.empty()) return std::nullopt;
  std::string message = std::move(incoming_.front());
  incoming_.pop_front();
  consumed_ += message.size() + kPrefixBytes;
  WakeSession();
  return message;
}

bool ServerCall::CanWrite() const { return cancelled_ || outgoing_bytes_ < kQueueBytes; }

absl::Status ServerCall::Queue(Message message) {
  CRISP_ASSIGN_OR_RETURN(OutgoingMessage outgoing, OutgoingMessage::Make(std::move(message)));
  outgoing_bytes_ += outgoing.size();
  outgoing_.push_back(std::move(outgoing));
  return absl::OkStatus();
}

absl::Status ServerCall::Reply(Message message) {
  absl::MutexLock lock(&mu_);
  return Queue(std::move(message));  // Finish, which follows, wakes.
}

absl::Status ServerCall::Write(Message message) {
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithTimeout(absl::Condition(this, &ServerCall::CanWrite), kPoll)) {
    if (expired()) break;
  }
  if (cancelled_ || expired()) return absl::CancelledError("the client is gone");
  const absl::Status queued = Queue(std::move(message));
  if (queued.ok()) WakeSession();
  return queued;
}

void ServerCall::Finish(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  status_ = status;
  WakeSession();
}

void ServerCall::Deliver(std::string message) {
  absl::MutexLock lock(&mu_);
  incoming_.push_back(std::move(message));
}

void ServerCall::EndRequest() {
  absl::MutexLock lock(&mu_);
  request_ended_ = true;
}

void ServerCall::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
}

void ServerCall::WakeSession() {
  if (std::exchange(woken_, true)) return;
  (*wake_)(stream_);
}

void ServerCall::TakeWake() {
  absl::MutexLock lock(&mu_);
  woken_ = false;
}

size_t ServerCall::TakeConsumed() {
  absl::MutexLock lock(&mu_);
  return std::exchange(consumed_, 0);
}

bool ServerCall::has_output() const {
  absl::MutexLock lock(&mu_);
  return !outgoing_.empty();
}

size_t ServerCall::Fill(uint8_t* buffer, size_t size) {
  absl::MutexLock lock(&mu_);
  size_t filled = 0;
  while (filled < size && !outgoing_.empty()) {
    OutgoingMessage& first = outgoing_.front();
    filled += first.Fill(buffer + filled, size - filled);
    if (!first.sent()) break;
    outgoing_bytes_ -= first.size();
    outgoing_.pop_front();
  }
  return filled;
}

std::optional<absl::Status> ServerCall::Ended() const {
  absl::MutexLock lock(&mu_);
  if (!outgoing_.empty()) return std::nullopt;
  return status_;
}

}  // namespace crisp::grpcserver
