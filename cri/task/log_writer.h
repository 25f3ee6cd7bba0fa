// A container's log in the format that kubelet and crictl read:
//
//   2023-11-14T22:13:20.000000000Z stdout F a whole line
//   2023-11-14T22:13:20.000000000Z stderr P the first 16 KiB of a long line
//
// P says that the line goes on in the stream's next record, F that it ends. A
// carriage return before the newline is dropped. Where records are cut depends on
// the bytes alone, not on how they were chunked.
//
// Ownership: owns the log file's descriptor and that of the log directory, through
//            which every open goes: a directory that is replaced later by a symlink
//            leads nowhere.
// Threads:   safe.
// Errors:    Open and Reopen keep errno; ELOOP or FailedPrecondition when
//            something other than a regular file is at the path. Write cannot
//            fail: when the disk is full records are dropped whole, counted, and
//            written again once there is space. Start and end of that are logged.
// Crash:     a line that has not ended is held in memory, at most 16 KiB a stream.
//            Finish writes it out.
#ifndef CRISP_CRI_TASK_LOG_WRITER_H_
#define CRISP_CRI_TASK_LOG_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/unique_fd.h"

namespace crisp::cri {

enum class LogStream { kStdout = 0, kStderr = 1 };

class LogWriter {
 public:
  static constexpr size_t kMaxContent = 16 << 10;  // Of one record.

  // Appends to `directory`/`path`, made (0640) if it is not there; missing
  // directories are made with 0755. `path` is relative and clean.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const std::string& directory,
                                                         const std::string& path,
                                                         Clock* clock = Clock::Real());

  // All records of one call carry the same time and go out in few writes.
  void Write(LogStream stream, absl::string_view data);

  // The stream has ended, or its writer stops: what is left of a line goes out as P.
  void Finish(LogStream stream);

  // Makes the file at the path again and goes on there. A line that has not ended
  // yet goes to the new file as a whole. On error nothing has changed.
  absl::Status Reopen();

  uint64_t dropped_records() const;

 private:
  LogWriter(UniqueFd directory, UniqueFd file, std::string path, Clock* clock);

  void StartBatch(LogStream stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddRecord(bool full, absl::string_view content) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Cuts what can be cut from a line without its end; returns the rest.
  absl::string_view AddPartials(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddLine(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Dropped(size_t records, int err) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const UniqueFd directory_;
  const std::string path_;
  Clock* const clock_;

  mutable absl::Mutex mu_;
  UniqueFd file_ ABSL_GUARDED_BY(mu_);
  std::array<std::string, 2> pending_ ABSL_GUARDED_BY(mu_);  // Unended line of each stream.
  std::string head_ ABSL_GUARDED_BY(mu_);                    // "<time> <stream> ", of this batch.
  std::string out_ ABSL_GUARDED_BY(mu_);
  bool torn_ ABSL_GUARDED_BY(mu_) = false;  // The file ends within a record.
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t dropped_before_ ABSL_GUARDED_BY(mu_) = 0;  // When this drought began.
  bool dropping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_LOG_WRITER_H_
