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
// Threads:   one at a time, but for OpenAgain, which any thread may call.
// Errors:    Open and Reopen keep errno; ELOOP or FailedPrecondition when
//            something other than a regular file is at the path. Write cannot
//            fail: when the disk is full records are dropped whole, counted, and
//            written again once there is space. The listener hears of start and end.
// Crash:     a line that has not ended is held in memory, at most 16 KiB a stream.
//            Finish writes it out.
#ifndef CRISP_LOGFILE_LOG_FILE_H_
#define CRISP_LOGFILE_LOG_FILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/unique_fd.h"

namespace crisp {

enum class LogStream { kStdout = 0, kStderr = 1 };

class LogFile {
 public:
  static constexpr size_t kMaxContent = 16 << 10;  // Of one record.

  // Records begin to be dropped (an errno, 0 records) or are written again (0, how
  // many were dropped meanwhile).
  using DropListener = std::function<void(int error, uint64_t dropped)>;

  // Appends to `directory`/`path`, made (0640) if it is not there; missing
  // directories are made with 0755. `path` is relative and clean.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& directory,
                                                       const std::string& path, Clock* clock,
                                                       DropListener on_drop);

  // All records of one call carry the same time and go out in few writes.
  void Write(LogStream stream, absl::string_view data);

  // The stream has ended, or its writer stops: what is left of a line goes out as P.
  void Finish(LogStream stream);

  // Makes the file at the path again and goes on there. A line that has not ended
  // yet goes to the new file as a whole. On error nothing has changed.
  absl::Status Reopen();

  // The two halves of Reopen, for who opens beside a writer.
  absl::StatusOr<UniqueFd> OpenAgain() const;
  void Use(UniqueFd file);

  // Gives back the buffer that Write keeps between calls.
  void ReleaseBuffer() { std::string().swap(out_); }

  const std::string& path() const { return path_; }
  uint64_t dropped_records() const { return dropped_; }

 private:
  LogFile(UniqueFd directory, UniqueFd file, std::string path, Clock* clock, DropListener on_drop);

  void StartBatch(LogStream stream);
  void AddRecord(bool full, absl::string_view content);
  // Cuts what can be cut from a line without its end; returns the rest.
  absl::string_view AddPartials(absl::string_view line);
  void AddLine(absl::string_view line);
  void Flush();
  void Dropped(size_t records, int err);

  const UniqueFd directory_;
  const std::string path_;
  Clock* const clock_;
  const DropListener on_drop_;

  UniqueFd file_;
  std::array<std::string, 2> pending_;  // Unended line of each stream.
  std::string head_;                    // "<time> <stream> ", of this batch.
  std::string out_;
  bool torn_ = false;  // The file ends within a record.
  uint64_t dropped_ = 0;
  uint64_t dropped_before_ = 0;  // When this drought began.
  bool dropping_ = false;
};

}  // namespace crisp

#endif  // CRISP_LOGFILE_LOG_FILE_H_
