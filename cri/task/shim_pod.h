// One pod's shim and its directory, as the native driver keeps them.
//
//   <shims>/<pod id>/tasks/<task id>        the task's cgroup path: written before the
//                                           shim hears of the task, gone after it
//                    exits/<task id>.json   how it ended: the shim's to write
//                    socket, process        shim/client/shim_process.h
//
// Ownership: owns the connection; the shim outlives it until End.
// Threads:   safe. `lost` comes on the loop's thread, or on a caller's when there is
//            no shim to connect to in the first place.
// Errors:    Unavailable: the shim is gone. errno of the directory.
// Crash:     everything is found again by the directory.
#ifndef CRISP_CRI_TASK_SHIM_POD_H_
#define CRISP_CRI_TASK_SHIM_POD_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cri/task/task_driver.h"
#include "shim/client/shim_binary.h"
#include "shim/client/shim_client.h"
#include "shim/client/shim_process.h"

namespace crisp::cri {

class ShimPod : public std::enable_shared_from_this<ShimPod> {
 public:
  // Called once for each connection that ends by itself.
  using Lost = std::function<void(const std::shared_ptr<ShimPod>&)>;

  // `directory` is <shims>/<id>, absolute.
  ShimPod(IoLoop* loop, std::string directory, std::string id, Lost lost);

  const std::string& id() const { return id_; }

  absl::Status MakeDirectory();
  // Starts the shim and connects to it. The directory exists.
  absl::Status Spawn(const shim::ShimBinary& binary);
  // Connects to a shim that an earlier call or an earlier crispd started.
  absl::Status Connect();

  // Null while there is no connection.
  std::shared_ptr<shim::ShimClient> client() const;
  // Whether the shim's process is there, after waiting up to `grace` for its end.
  bool Lives(absl::Duration grace) const;
  void KillShim() const;

  absl::Status Note(const std::string& task_id, const std::string& cgroup_path);
  // The note and the exit of a task. OK if there are none.
  void Unnote(const std::string& task_id);
  // Task id -> cgroup path.
  absl::StatusOr<std::map<std::string, std::string>> Notes() const;
  // NotFound if the shim has not written it.
  absl::StatusOr<TaskExit> RecordedExit(const std::string& task_id) const;

  // Ends the shim, by force if it must be, and removes the directory. No task is left.
  absl::Status End();

  // The last event that was taken in. The loop's.
  uint64_t seen = 0;

  // It did not answer in time, and has said nothing since: what can be done without it
  // is not asked of it again.
  std::atomic<bool> silent{false};

 private:
  IoLoop* const loop_;
  const std::string directory_;
  const std::string id_;
  const Lost lost_;

  mutable absl::Mutex mu_;
  std::shared_ptr<shim::ShimClient> client_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<shim::ShimProcess> process_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_SHIM_POD_H_
