// A ttrpc server on unix sockets.
//
// Every request is handed over at once and answered whenever its Reply is used, in any
// order: a Wait that lasts as long as its container holds up nothing.
//
// Ownership: owns listener and connections. A Reply may outlive its connection (using
//            it then does nothing), not the server.
// Threads:   the loop's.
// Errors:    errno from Listen. A peer of another user is cut off. A peer that breaks
//            the framing's rules gets the error on its stream, as ttrpc's own server
//            answers: INVALID_ARGUMENT for a stream id that is even or not new,
//            RESOURCE_EXHAUSTED for a message over 4 MiB, UNIMPLEMENTED for streaming.
// Crash:     connections end with the process.
#ifndef CRISP_SHIM_TTRPC_SERVER_H_
#define CRISP_SHIM_TTRPC_SERVER_H_

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/unique_fd.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class Connection;
class TtrpcServer;

// The right to answer one request, once. Dropped unused, it answers INTERNAL.
class Reply {
 public:
  Reply(TtrpcServer* server, uint64_t connection, uint32_t stream)
      : server_(server), connection_(connection), stream_(stream) {}
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&& other) = delete;
  ~Reply();

  void Ok(const google::protobuf::MessageLite& response) &&;
  void Error(const absl::Status& status) &&;

  // Answers may be longer than the 4 MiB that every peer accepts: the caller's own
  // protocol says so.
  void AllowLong() { long_ = true; }

 private:
  void Send(const wire::Response& response);

  TtrpcServer* server_;  // Null: used or moved from.
  uint64_t connection_;
  uint32_t stream_;
  bool long_ = false;
};

class TtrpcServer {
 public:
  // `payload` is valid until it returns.
  using Handler = std::function<void(absl::string_view service, absl::string_view method,
                                     absl::string_view payload, Reply reply)>;

  TtrpcServer(Loop* loop, Handler handler);
  ~TtrpcServer();
  TtrpcServer(const TtrpcServer&) = delete;
  TtrpcServer& operator=(const TtrpcServer&) = delete;

  // Accepts on `listener`, a listening unix socket.
  absl::Status Serve(UniqueFd listener);

  // Everything answered so far has been handed to the kernel.
  bool flushed() const;

 private:
  friend class Connection;
  friend class Reply;

  void Accept();
  void Close(uint64_t connection);

  Loop* const loop_;
  const Handler handler_;
  UniqueFd listener_;
  Loop::Id watch_ = 0;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  uint64_t next_connection_ = 1;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TTRPC_SERVER_H_
