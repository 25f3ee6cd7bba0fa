// One RPC under way: what passes between the thread that has the connection and the one
// that runs the handler.
//
// Ownership: shared by both.
// Threads:   safe. The handler's half may wait; the session's half never does.
// Errors:    Reply and Write: ResourceExhausted for a message that no client would take.
#ifndef CRISP_GRPC_SERVER_SERVER_CALL_H_
#define CRISP_GRPC_SERVER_SERVER_CALL_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "grpc_server/call.h"
#include "grpc_server/outgoing_message.h"

namespace crisp::grpcserver {

// Tells the session, on any thread, that one of its streams has something for it.
using Wake = std::function<void(int32_t stream)>;

class ServerCall {
 public:
  // `request` is the message of a unary call. `wake` is called with `stream` when there is
  // something for the session to do; not again before the session has looked (TakeWake).
  // `deadline` is on the steady clock.
  ServerCall(const Clock* clock, absl::Duration deadline, std::string request,
             std::shared_ptr<const Wake> wake, int32_t stream);

  // --- The handler's half.
  const Call& call() const { return call_; }
  const std::string& request() const { return request_; }
  // The next message of a client's stream; nothing at its end, or once the client is gone.
  std::optional<std::string> Read();
  // The answer of a unary call.
  absl::Status Reply(Message message);
  // The same for a stream: waits while the client is slow. Cancelled once it is gone.
  absl::Status Write(Message message);
  void Finish(const absl::Status& status);
  bool cancelled() const;

  // --- The session's half.
  void Deliver(std::string message);
  void EndRequest();
  void Cancel();
  void TakeWake();
  // Bytes that Read has taken since the last time.
  size_t TakeConsumed();
  bool has_output() const;
  // Copies what is to be sent; 0 if there is nothing now.
  size_t Fill(uint8_t* buffer, size_t size);
  // The status, once the handler is done and Fill has given everything.
  std::optional<absl::Status> Ended() const;

 private:
  absl::Status Queue(Message message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeSession() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool CanWrite() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool CanRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return cancelled_ || request_ended_ || !incoming_.empty();
  }
  bool expired() const { return clock_.Steady() >= deadline_; }

  const Clock& clock_;
  const absl::Duration deadline_;
  const std::shared_ptr<const Wake> wake_;
  const int32_t stream_;
  const Call call_;
  const std::string request_;

  mutable absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  // Lists: empty ones, as most are and always will be, cost nothing.
  std::list<std::string> incoming_ ABSL_GUARDED_BY(mu_);
  bool request_ended_ ABSL_GUARDED_BY(mu_) = false;
  size_t consumed_ ABSL_GUARDED_BY(mu_) = 0;
  std::list<OutgoingMessage> outgoing_ ABSL_GUARDED_BY(mu_);
  size_t outgoing_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_SERVER_CALL_H_
