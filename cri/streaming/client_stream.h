// One logical stream of a client's connection: a SPDY stream or a WebSocket channel.
//
// Bytes are asked for, never pushed: what the reader has not asked for yet is kept up to
// a bound, and then the connection is not read. So a process that does not read its
// input holds up its client and nobody else, and a client that does not read holds up
// its process (by the completion of AsyncWrite).
//
// Ownership: shared by the connection and whoever uses the stream. Handlers are dropped,
//            after a last call, when the connection ends.
// Threads:   the connection's executor only.
// Errors:    Unavailable: the connection, or the stream by the client's wish, is gone.
#ifndef CRISP_CRI_STREAMING_CLIENT_STREAM_H_
#define CRISP_CRI_STREAMING_CLIENT_STREAM_H_

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {

class ClientStream {
 public:
  // A connection is not read while one of its streams holds more than this.
  static constexpr size_t kMaxBuffered = 256 << 10;
  // What is written at a time.
  static constexpr size_t kMaxWrite = 32 << 10;

  using ReadHandler = std::function<void(absl::StatusOr<std::string> data)>;
  using WriteHandler = std::function<void(absl::Status status)>;

  virtual ~ClientStream() = default;

  // The next bytes; an empty string is the end. One at a time. The handler is never
  // called from within the call.
  void AsyncRead(ReadHandler handler);

  // At most kMaxWrite bytes, one call at a time. Done when they are on their way.
  virtual void AsyncWrite(std::string data, WriteHandler handler) = 0;

  // Nothing more will be written.
  virtual void CloseWrite() = 0;

  // Ends both directions at once.
  virtual void Reset() = 0;

 protected:
  // `on_room` is called when a reader has taken what was kept.
  ClientStream(boost::asio::any_io_executor executor, std::function<void()> on_room)
      : executor_(std::move(executor)), on_room_(std::move(on_room)) {}

  // From the connection.
  void Deliver(absl::string_view data);
  void DeliverEnd();
  void Fail(const absl::Status& status);
  const boost::asio::any_io_executor& executor() const { return executor_; }
  size_t buffered() const { return buffer_.size(); }
  bool ended() const { return ended_; }

 private:
  void Answer();

  boost::asio::any_io_executor executor_;
  std::function<void()> on_room_;
  std::string buffer_;
  bool ended_ = false;
  absl::Status failure_;
  ReadHandler reader_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_CLIENT_STREAM_H_
