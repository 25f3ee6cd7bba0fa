// The end of a process, told once to whoever asks for it, before or after.
//
// Threads: safe. The callback runs under the notice's own lock: Forget returns when it
//          neither runs nor will.
#ifndef CRISP_CRI_TASK_EXIT_NOTICE_H_
#define CRISP_CRI_TASK_EXIT_NOTICE_H_

#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

class ExitNotice {
 public:
  // Calls back at once if the end is known.
  void OnExit(TaskSession::ExitCallback callback) {
    absl::MutexLock lock(&mu_);
    if (exit_code_.has_value()) {
      callback(*exit_code_);
    } else {
      callback_ = std::move(callback);
    }
  }

  // Only the first counts.
  void Tell(const absl::StatusOr<int>& exit_code) {
    absl::MutexLock lock(&mu_);
    if (exit_code_.has_value()) return;
    exit_code_ = exit_code;
    if (callback_) callback_(exit_code);
    callback_ = nullptr;
  }

  void Forget() {
    absl::MutexLock lock(&mu_);
    callback_ = nullptr;
  }

 private:
  absl::Mutex mu_;
  std::optional<absl::StatusOr<int>> exit_code_ ABSL_GUARDED_BY(mu_);
  TaskSession::ExitCallback callback_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_EXIT_NOTICE_H_
