// Named pipes, and their reading end on the loop.
//
// Ownership: FifoReader owns its descriptor and borrows the loop, which outlives it.
// Threads:   callbacks run on the loop's thread, one at a time. Stop and Drain from
//            any other thread, or from a callback.
// Errors:    errno kept.
// Crash:     a FIFO stays, with what is in it, as long as another process has it open.
#ifndef CRISP_CRI_TASK_FIFO_H_
#define CRISP_CRI_TASK_FIFO_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/io_loop.h"
#include "base/unique_fd.h"

namespace crisp::cri {

// Makes the FIFO `name` (0600) in `dirfd`. An errno of EEXIST if something is there.
absl::Status MakeFifoAt(int dirfd, const std::string& name);

// Opens the FIFO's reading end without waiting for a writer. FailedPrecondition if
// `name` is not a FIFO.
absl::StatusOr<UniqueFd> OpenFifoAt(int dirfd, const std::string& name);

// Opens the FIFO's writing end, non-blocking. An errno of ENXIO if nobody reads it.
absl::StatusOr<UniqueFd> OpenFifoForWritingAt(int dirfd, const std::string& name);

class FifoReader {
 public:
  using DataCallback = std::function<void(absl::string_view data)>;

  // Reads at most 64 KiB at a time, so that one busy container does not starve
  // the others. `on_end` comes once, when the last writer has gone.
  static absl::StatusOr<std::unique_ptr<FifoReader>> Start(IoLoop* loop, UniqueFd fd,
                                                           DataCallback on_data,
                                                           std::function<void()> on_end);
  ~FifoReader() { Stop(); }
  FifoReader(const FifoReader&) = delete;
  FifoReader& operator=(const FifoReader&) = delete;

  // No callback comes after this, save by Drain. Idempotent.
  void Stop();

  // After Stop: hands what the pipe holds now to on_data, on this thread, without
  // waiting for more.
  void Drain();

 private:
  FifoReader(IoLoop* loop, UniqueFd fd, DataCallback on_data, std::function<void()> on_end)
      : loop_(loop), fd_(std::move(fd)), on_data_(std::move(on_data)), on_end_(std::move(on_end)) {}

  void OnReadable(uint64_t watch);
  // Bytes read and handed on; 0 at the end; -1 when there are none now.
  ssize_t ReadOnce();

  IoLoop* const loop_;
  const UniqueFd fd_;
  const DataCallback on_data_;
  const std::function<void()> on_end_;
  uint64_t watch_ = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_FIFO_H_
