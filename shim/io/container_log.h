// Where crispd's containers write: the log file, and whoever is attached.
//
// An attached reader that is slow slows the container down, as a terminal would; one
// that takes nothing for a moment is dropped, and the container goes on.
//
// Ownership: owns the file and the attached FIFOs.
// Threads:   the loop's.
// Errors:    as LogFile. Without a log file output is discarded.
#ifndef CRISP_SHIM_IO_CONTAINER_LOG_H_
#define CRISP_SHIM_IO_CONTAINER_LOG_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "logfile/log_file.h"
#include "shim/io/fd_sink.h"
#include "shim/io/sink.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class ContainerLog {
 public:
  // How long an attached reader may take nothing.
  static constexpr absl::Duration kMaxStall = absl::Milliseconds(250);

  ~ContainerLog();

  // An empty `directory` or `path`: no file.
  static absl::StatusOr<std::unique_ptr<ContainerLog>> Open(Loop* loop,
                                                            const std::string& directory,
                                                            const std::string& path);

  // The sink of one stream; lives as long as the log.
  Sink* sink(LogStream stream);

  // `fifo` does not block, and has a reader. What is written from here on goes there also.
  // The FIFOs of one client have one `name`: half an output is worse than none, so that
  // with the one that is dropped the other goes, too.
  absl::Status Attach(LogStream stream, UniqueFd fifo, const std::string& name);

  // Calls back, once, when nothing of that name is attached: whether because it was
  // dropped. At once, if nothing is. Not at all after the destructor.
  using Detached = absl::AnyInvocable<void(bool fell_behind)>;
  void OnDetached(const std::string& name, Detached detached);

  absl::Status Reopen();
  uint64_t dropped_records() const { return file_ == nullptr ? 0 : file_->dropped_records(); }

  // Between bursts.
  void ReleaseBuffer() {
    if (file_ != nullptr) file_->ReleaseBuffer();
  }

 private:
  class Stream;

  // One attached reader.
  struct Reader {
    Reader(Loop* loop, UniqueFd fifo, std::string name)
        : loop(loop), name(std::move(name)), sink(loop, std::move(fifo)) {}
    ~Reader();

    Loop* const loop;
    const std::string name;
    bool detached = false;  // And its client counted out.
    FdSink sink;
    UniqueFd alarm;      // The same FIFO, watched for its reader's end.
    Loop::Id watch = 0;  // Of alarm.
    Loop::Id stalled = 0;
    uint64_t written = 0;  // When `stalled` was set.
  };

  // Whoever attached: its readers, and who waits for its end.
  struct Client {
    int readers = 0;
    bool fell_behind = false;
    std::vector<Detached> waiters;
  };

  ContainerLog(Loop* loop, std::unique_ptr<LogFile> file);
  void Detach(const std::string& name);
  void FellBehind(const std::string& name);

  Loop* const loop_;
  const std::unique_ptr<LogFile> file_;
  std::map<std::string, Client> clients_;
  std::array<std::unique_ptr<Stream>, 2> streams_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_CONTAINER_LOG_H_
