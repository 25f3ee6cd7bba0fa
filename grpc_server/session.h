// One client's HTTP/2 connection without its socket: bytes in, bytes out, calls begun and
// answered. nghttp2 does the framing, header compression and flow control; this is what
// gRPC asks for above it.
//
// Ownership: owns nghttp2's session and its streams; shares each call with its handler.
//            Borrows the options, which outlive every handler.
// Threads:   all of it on one. Handlers run where `run` puts them, or right there if their
//            method says so.
// Errors:    Receive: Internal once the peer does not speak HTTP/2; the connection is to be
//            closed. What is wrong with one call is that call's answer.
#ifndef CRISP_GRPC_SERVER_SESSION_H_
#define CRISP_GRPC_SERVER_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "grpc_server/methods.h"
#include "grpc_server/outgoing_message.h"
#include "grpc_server/server_call.h"
#include "grpc_server/wire.h"

namespace crisp::grpcserver {

// What became of a call, for a log. `abandoned`: nobody waits for its answer.
struct Outcome {
  absl::string_view path;
  absl::Duration took;
  const absl::Status& status;
  bool abandoned;
};

struct SessionOptions {
  const Methods* methods = nullptr;
  const Clock* clock = nullptr;
  // Runs a handler that may take its time.
  std::function<void(std::function<void()>)> run;
  // Called when a handler has ended, on its thread, before its answer goes out.
  std::function<void(const Outcome&)> observe;
};

class Session {
 public:
  // After `wake`, Resume(stream) is to be called on the session's thread soon.
  Session(const SessionOptions& options, Wake wake);
  ~Session();  // Cancels the calls under way.
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  absl::Status Receive(absl::string_view bytes);
  void Resume(int32_t stream);
  // Appends what is to be sent, until `out` has about `enough` bytes.
  void Send(std::string* out, size_t enough);

  // No new calls; those under way go on.
  void Drain();
  // Those under way, and what is still to become one.
  void CancelCalls();
  size_t calls() const { return streams_.size(); }
  // The connection has served its time.
  bool done() const;

 private:
  struct Stream;
  struct Callbacks;

  void OnHeader(Stream* stream, absl::string_view name, absl::string_view value);
  void OnHeadersEnd(int32_t id, Stream* stream);
  void OnData(int32_t id, Stream* stream, absl::string_view data);
  void OnRequestEnd(int32_t id, Stream* stream);
  // The request is there: what is at hand is the answer, else a handler runs.
  void Begin(int32_t id, Stream* stream);
  void Answered(int32_t id, Stream* stream, absl::Duration start, absl::StatusOr<Message> answer);
  void Run(int32_t id, Stream* stream);
  // The call's end before its handler was called.
  void Refuse(int32_t id, Stream* stream, const absl::Status& status);
  void Respond(int32_t id, Stream* stream);
  void RespondBody(int32_t id, Stream* stream);
  void RespondStatus(int32_t id, const absl::Status& status);
  void SubmitTrailers(int32_t id, const absl::Status& status);

  const SessionOptions& options_;
  const std::shared_ptr<const Wake> wake_;  // Calls outlive the session.
  nghttp2_session* http2_ = nullptr;
  bool cancelled_ = false;
  absl::flat_hash_map<int32_t, std::unique_ptr<Stream>> streams_;
};

}  // namespace crisp::grpcserver

#endif  // CRISP_GRPC_SERVER_SESSION_H_
