// Sizes for one terminal behind containerd: one call at a time, so that the newest
// size is the one that stays.
//
// Ownership: shared with its outstanding call; borrows the connection until Stop.
// Threads:   safe; nothing blocks.
// Errors:    dropped: a terminal that cannot be resized is as wide as before.
#ifndef CRISP_CRI_TASK_TTY_RESIZER_H_
#define CRISP_CRI_TASK_TTY_RESIZER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "cri/containerd/containerd.h"

namespace crisp::cri {

class TtyResizer : public std::enable_shared_from_this<TtyResizer> {
 public:
  // `exec_id` empty: the terminal of init.
  TtyResizer(Containerd* containerd, std::string task_id, std::string exec_id)
      : containerd_(containerd), task_id_(std::move(task_id)), exec_id_(std::move(exec_id)) {}

  void Resize(uint32_t width, uint32_t height);

  // No call begins after this.
  void Stop();

 private:
  struct Size {
    uint32_t width, height;
  };

  void Send(const Size& size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnDone();

  Containerd* const containerd_;
  const std::string task_id_;
  const std::string exec_id_;

  absl::Mutex mu_;
  bool in_flight_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<Size> next_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_TTY_RESIZER_H_
