// The readers that have joined a container's output.
//
// Each gets its own pipes, of a fixed size in the kernel: a reader that lets one fill
// up is dropped at once, so that neither the container nor the log ever waits and no
// memory of ours grows.
//
// Ownership: an Attachment is shared by its session and, weakly, by the container's
//            streams; whichever ends first closes the pipes.
// Threads:   safe.
// Errors:    errno kept.
// Crash:     the readers see the end of their streams.
#ifndef CRISP_CRI_TASK_ATTACHMENTS_H_
#define CRISP_CRI_TASK_ATTACHMENTS_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "cri/task/exit_notice.h"
#include "cri/task/log_writer.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

class Attachment {
 public:
  // A pipe for each of the outputs in `streams`.
  static absl::StatusOr<std::shared_ptr<Attachment>> Make(const SessionStreams& streams);

  // The session's ends; -1 without the stream.
  int stdout_fd() const { return ends_[0].get(); }
  int stderr_fd() const { return ends_[1].get(); }
  bool fell_behind() const { return fell_behind_; }
  ExitNotice& notice() { return notice_; }

  // From the container's side.
  void Write(LogStream stream, absl::string_view data);
  void End(LogStream stream);

  // Nothing is written any more: the reader finds the end behind what is in the pipes.
  void Close();

 private:
  Attachment() = default;

  static size_t Index(LogStream stream) { return stream == LogStream::kStdout ? 0 : 1; }

  UniqueFd ends_[2];  // The session's. Set once, by Make.
  ExitNotice notice_;
  std::atomic<bool> fell_behind_{false};

  absl::Mutex mu_;
  UniqueFd pipes_[2] ABSL_GUARDED_BY(mu_);
};

class Attachments {
 public:
  // A reader that comes when the container has ended finds its end at once.
  void Add(const std::shared_ptr<Attachment>& attachment);

  void Write(LogStream stream, absl::string_view data);
  void End(LogStream stream);
  // The container has ended, as told to OnExit.
  void Exit(const absl::StatusOr<int>& exit_code);

 private:
  // The living ones; forgets the others.
  std::vector<std::shared_ptr<Attachment>> Living();

  absl::Mutex mu_;
  std::vector<std::weak_ptr<Attachment>> all_ ABSL_GUARDED_BY(mu_);
  bool ended_[2] ABSL_GUARDED_BY(mu_) = {false, false};
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_ATTACHMENTS_H_
