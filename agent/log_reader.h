// Container logs in CRI's format, as they stand in the files that the runtime
// writes: "2026-01-02T03:04:05.000000006Z stdout F text".
//
// Threads: one thread a reader.
// Errors:  NotFound without the file; others carry errno. A line that is not in
//          the format is printed as it is: a log is worth more than its form.
#ifndef CRISP_AGENT_LOG_READER_H_
#define CRISP_AGENT_LOG_READER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace crisp::agent {

struct LogLine {
  absl::string_view timestamp;  // As written.
  absl::Time time;
  bool is_stderr = false;
  bool partial = false;  // More of the same line follows.
  absl::string_view text;
};

// One record without its newline; views into `record`. Nullopt if it is not one.
std::optional<LogLine> ParseLogLine(absl::string_view record);

struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<int64_t> tail;  // Only the last so many records.
  absl::Time since = absl::InfinitePast();
};

// Prints the log at `path`. With follow it goes on, over rotation and
// truncation, until `ended` is true and the file is read to its end.
absl::Status PrintLog(const std::string& path, const LogOptions& options,
                      const std::function<bool()>& ended, std::ostream& out);

// The text of the last record, at most a few hundred bytes; "" if there is none.
std::string LastLogLine(const std::string& path);

// Where the last `records` records of the file begin.
absl::StatusOr<int64_t> TailOffset(int fd, int64_t records);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_LOG_READER_H_
