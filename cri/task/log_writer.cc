#include "cri/task/log_writer.h"

#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cri {

absl::StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(const std::string& directory,
                                                           const std::string& path, Clock* clock) {
  auto report = [path](int error, uint64_t dropped) {
    if (error != 0) {
      LogWarn("container log cannot be written: records are dropped",
              {{"log", path}, {"error", ErrnoName(error)}});
    } else {
      LogInfo("container log is written again", {{"log", path}, {"dropped_records", dropped}});
    }
  };
  CRISP_ASSIGN_OR_RETURN(auto file, LogFile::Open(directory, path, clock, std::move(report)));
  return std::unique_ptr<LogWriter>(new LogWriter(std::move(file)));
}

void LogWriter::Write(LogStream stream, absl::string_view data) {
  absl::MutexLock lock(&mu_);
  file_->Write(stream, data);
  file_->ReleaseBuffer();
}

void LogWriter::Finish(LogStream stream) {
  absl::MutexLock lock(&mu_);
  file_->Finish(stream);
  file_->ReleaseBuffer();
}

absl::Status LogWriter::Reopen() {
  // Opened before the lock is taken: writers go on while a slow disk answers.
  const LogFile* const file = file_.get();
  CRISP_ASSIGN_OR_RETURN(UniqueFd opened, file->OpenAgain());
  absl::MutexLock lock(&mu_);
  file_->Use(std::move(opened));
  return absl::OkStatus();
}

uint64_t LogWriter::dropped_records() const {
  absl::MutexLock lock(&mu_);
  return file_->dropped_records();
}

}  // namespace crisp::cri
