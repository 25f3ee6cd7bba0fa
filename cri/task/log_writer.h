// A container's log file (logfile/log_file.h), written by many threads.
//
// Ownership: owns the file.
// Threads:   safe.
// Errors:    as LogFile. Start and end of a time without disk space are logged.
// Crash:     as LogFile.
#ifndef CRISP_CRI_TASK_LOG_WRITER_H_
#define CRISP_CRI_TASK_LOG_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "logfile/log_file.h"

namespace crisp::cri {

using ::crisp::LogStream;

class LogWriter {
 public:
  static constexpr size_t kMaxContent = LogFile::kMaxContent;

  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const std::string& directory,
                                                         const std::string& path,
                                                         Clock* clock = Clock::Real());

  void Write(LogStream stream, absl::string_view data);
  void Finish(LogStream stream);
  absl::Status Reopen();
  uint64_t dropped_records() const;

 private:
  explicit LogWriter(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}

  mutable absl::Mutex mu_;
  const std::unique_ptr<LogFile> file_ ABSL_PT_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_LOG_WRITER_H_
