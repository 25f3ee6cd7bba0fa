// A sink that writes to a descriptor: a FIFO, a file, a container's stdin, a terminal.
//
// Ownership: owns the descriptor; it is closed when the stream has ended and everything
//            is written, or when writing fails.
// Threads:   the loop's.
// Errors:    a descriptor that cannot be written any more swallows what comes: the
//            source must go on.
#ifndef CRISP_SHIM_IO_FD_SINK_H_
#define CRISP_SHIM_IO_FD_SINK_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "shim/io/sink.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class FdSink : public Sink {
 public:
  // `fd` does not block, or is a regular file.
  FdSink(Loop* loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}
  ~FdSink() override;

  bool Take(absl::string_view data) override;
  void End() override;
  bool flushed() const override { return pending_.empty(); }

  bool closed() const { return !fd_.ok(); }
  int fd() const { return fd_.get(); }
  // How many bytes have gone out: a reader that stalls lets it stand still.
  uint64_t written() const { return written_; }

 private:
  // What the descriptor takes now; the rest, if it may come to take it later.
  absl::string_view Write(absl::string_view data);
  void OnWritable();
  void Close();

  Loop* const loop_;
  UniqueFd fd_;
  Loop::Id watch_ = 0;
  std::string pending_;
  uint64_t written_ = 0;
  bool ended_ = false;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_FD_SINK_H_
