// A session at the streams of a containerd task.
//
// Ownership, threads, errors, crash: see TaskSession.
#ifndef CRISP_CRI_TASK_ATTACH_SESSION_H_
#define CRISP_CRI_TASK_ATTACH_SESSION_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "cri/task/attachments.h"
#include "cri/task/task_session.h"
#include "cri/task/tty_resizer.h"

namespace crisp::cri {

class AttachSession : public TaskSession {
 public:
  // `stdin` may be closed. `on_stdin_closed` is called once, when it was not and this
  // session's input has ended.
  AttachSession(std::shared_ptr<Attachment> attachment, std::shared_ptr<TtyResizer> resizer,
                UniqueFd stdin, std::function<void()> on_stdin_closed)
      : attachment_(std::move(attachment)),
        resizer_(std::move(resizer)),
        stdin_fd_(stdin.get()),
        on_stdin_closed_(std::move(on_stdin_closed)),
        stdin_(std::move(stdin)) {}

  ~AttachSession() override {
    attachment_->notice().Forget();
    resizer_->Stop();
    CloseStdin();
    attachment_->Close();
  }

  int stdin_fd() const override { return stdin_fd_; }
  int stdout_fd() const override { return attachment_->stdout_fd(); }
  int stderr_fd() const override { return attachment_->stderr_fd(); }
  bool fell_behind() const override { return attachment_->fell_behind(); }

  void Resize(uint32_t width, uint32_t height) override { resizer_->Resize(width, height); }

  void CloseStdin() override {
    absl::MutexLock lock(&mu_);
    if (!stdin_.ok()) return;
    stdin_.reset();
    on_stdin_closed_();
  }

  void OnExit(ExitCallback callback) override { attachment_->notice().OnExit(std::move(callback)); }

 private:
  const std::shared_ptr<Attachment> attachment_;
  const std::shared_ptr<TtyResizer> resizer_;
  const int stdin_fd_;
  const std::function<void()> on_stdin_closed_;

  absl::Mutex mu_;
  UniqueFd stdin_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_ATTACH_SESSION_H_
