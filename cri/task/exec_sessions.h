// Processes executed into containerd's tasks, with their streams in a session's hands.
//
// Ownership: borrows the connection, the loop and the directory. A process whose
//            session has gone is kept here until it ends: its output is read and
//            dropped, and containerd is told to forget it.
// Threads:   safe. Start blocks; waiting for a process holds no thread.
// Errors:    see TaskDriver::Exec.
// Crash:     a process that runs on is forgotten with its task; its FIFOs are swept
//            when the driver opens.
#ifndef CRISP_CRI_TASK_EXEC_SESSIONS_H_
#define CRISP_CRI_TASK_EXEC_SESSIONS_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cri/containerd/containerd.h"
#include "cri/task/container_io.h"
#include "cri/task/exit_watcher.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

class ExecSessions {
 public:
  struct Options {
    absl::Duration start = absl::Seconds(60);      // For the runtime to start the process.
    absl::Duration open_stdin = absl::Seconds(2);  // For the shim to open its end.
  };

  ExecSessions(Containerd* containerd, IoLoop* loop, const IoDirectory* directory,
               const Options& options);
  ~ExecSessions();

  absl::StatusOr<std::unique_ptr<ExecSession>> Start(const std::string& task_id,
                                                     const std::string& process_json,
                                                     const SessionStreams& streams);

  // Ends all waits; before the loop is stopped.
  void Shutdown() { watcher_.Shutdown(); }

 private:
  struct Process;
  class Session;

  void OnExit(const std::string& key, const TaskExit& exit);
  // The session has gone.
  void Abandon(const std::shared_ptr<Process>& process);
  // Nobody needs the process's exit any more.
  void Forget(const std::shared_ptr<Process>& process);

  Containerd* const containerd_;
  IoLoop* const loop_;
  const IoDirectory* const directory_;
  const Options options_;

  absl::Mutex mu_;
  absl::flat_hash_map<std::string, std::shared_ptr<Process>> processes_ ABSL_GUARDED_BY(mu_);

  ExitWatcher watcher_;  // Calls back into all of the above.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_EXEC_SESSIONS_H_
