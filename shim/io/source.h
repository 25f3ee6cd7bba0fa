// Reads a descriptor to its end and feeds a sink: one direction of a stream.
//
//   container ─pipe─▶ Source ─▶ Sink (FIFO, file, log, memory)
//   client ───FIFO──▶ Source ─▶ Sink (the container's stdin, a terminal)
//
// A sink without room stops the reading, so that the writer feels it as it would feel a
// full pipe.
//
// Ownership: owns the descriptor, borrows the sink.
// Threads:   the loop's.
// Errors:    a descriptor that cannot be read has ended.
#ifndef CRISP_SHIM_IO_SOURCE_H_
#define CRISP_SHIM_IO_SOURCE_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/io/sink.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class Source {
 public:
  // `fd` does not block. `on_end` runs once: when the descriptor has ended and the sink
  // has passed everything on. It must not destroy the source.
  static absl::StatusOr<std::unique_ptr<Source>> Start(Loop* loop, UniqueFd fd, Sink* sink,
                                                       Loop::Function on_end);
  ~Source();

  bool ended() const { return !fd_.ok(); }

  // Passes on what can be read without waiting, if the sink has room.
  void Pump();
  // Ends now, after that.
  void Finish();

 private:
  Source(Loop* loop, UniqueFd fd, Sink* sink, Loop::Function on_end)
      : loop_(loop), fd_(std::move(fd)), sink_(sink), on_end_(std::move(on_end)) {}

  absl::Status WatchIt();
  void OnReadable();
  void OnRoom();
  void End();

  Loop* const loop_;
  UniqueFd fd_;
  Sink* const sink_;
  Loop::Function on_end_;
  Loop::Id watch_ = 0;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_SOURCE_H_
