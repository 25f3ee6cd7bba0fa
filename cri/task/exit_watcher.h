// Waits for the ends of containerd tasks, and of processes executed into them: one
// outstanding Tasks.Wait for each, none of which holds a thread.
//
// When containerd goes away its calls fail; each wait is issued again, with backoff,
// until containerd answers. A task that containerd does not know any more is lost,
// after a moment in which its exit event may still come in (see Resolve).
//
// Ownership: borrows the connection and the loop. The loop is stopped before this
//            is destroyed.
// Threads:   safe. The callback runs on the loop.
// Errors:    none reach the user.
#ifndef CRISP_CRI_TASK_EXIT_WATCHER_H_
#define CRISP_CRI_TASK_EXIT_WATCHER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cri/containerd/containerd.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class ExitWatcher {
 public:
  // Once for each Watch, unless Forget comes first. oom_killed is not set.
  using Callback = std::function<void(const std::string& id, const TaskExit& exit)>;

  // The id by which an executed process is watched.
  static std::string ExecKey(const std::string& task_id, const std::string& exec_id) {
    return task_id + "/" + exec_id;  // No identifier has a slash.
  }

  ExitWatcher(Containerd* containerd, IoLoop* loop, Callback callback);
  ~ExitWatcher();
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  void Watch(const std::string& id);
  void Forget(const std::string& id);

  // The exit is known from elsewhere: an event, the answer to a Delete. Ignored if
  // nobody waits for it.
  void Resolve(const std::string& id, const TaskExit& exit);

  // Ends all waits. Nothing is watched from here on.
  void Shutdown();

 private:
  struct Call;
  struct Watched {
    std::shared_ptr<Call> call;  // The outstanding one; null between two.
    absl::Duration backoff;
    bool missing = false;  // containerd has said once that it does not know the task.
  };

  void Issue(const std::string& id);
  void OnDone(const std::shared_ptr<Call>& call, const grpc::Status& status);

  Containerd* const containerd_;
  IoLoop* const loop_;
  const Callback callback_;

  absl::Mutex mu_;
  absl::flat_hash_map<std::string, Watched> watched_ ABSL_GUARDED_BY(mu_);
  int outstanding_ ABSL_GUARDED_BY(mu_) = 0;
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_EXIT_WATCHER_H_
