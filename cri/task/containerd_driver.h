// The task driver for every runtime that containerd can drive: one containerd
// container and one task for each of ours.
//
// Ownership: borrows the connection. Owns one thread for all streams and timers,
//            and that of the event subscription. Destroying it leaves all tasks.
// Threads:   see TaskDriver. Waiting for exits holds no threads.
// Errors:    see TaskDriver; what containerd and the OCI runtime say is kept.
// Crash:     containers, tasks and FIFOs (in state_dir) stay. While containerd is
//            away containers run and their output flows on; exits are reported
//            when it is back.
#ifndef CRISP_CRI_TASK_CONTAINERD_DRIVER_H_
#define CRISP_CRI_TASK_CONTAINERD_DRIVER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cgroup/hierarchies.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/event_stream.h"
#include "cri/task/container_io.h"
#include "cri/task/exec_sessions.h"
#include "cri/task/exec_sync.h"
#include "cri/task/exit_watcher.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class ContainerdDriver : public TaskDriver {
 public:
  struct Options {
    std::string state_dir;  // Absolute, of this driver alone: FIFOs live here.
    std::string runtime_name = "io.containerd.runc.v2";
    // The OCI runtime that containerd's runc shim shall run; empty: its default.
    // Other shims take no options from here.
    std::string runtime_binary;
    Features features;  // Of that runtime.

    absl::Duration create_timeout = absl::Minutes(2);
    absl::Duration start_timeout = absl::Minutes(1);
    absl::Duration call_timeout = absl::Seconds(10);
    absl::Duration delete_timeout = absl::Seconds(30);
    // How long an exit's report waits for the end of the output.
    absl::Duration output_drain = absl::Milliseconds(500);
    ExecSyncRunner::Options exec;
    ExecSessions::Options sessions;
  };

  static absl::StatusOr<std::unique_ptr<ContainerdDriver>> Open(Containerd* containerd,
                                                                Options options);
  ~ContainerdDriver() override;

  Features features() const override { return options_.features; }
  void OnExit(ExitCallback callback) override;
  absl::StatusOr<uint32_t> Create(const TaskSpec& spec) override;
  absl::Status Start(const std::string& id) override;
  absl::Status Kill(const std::string& id, int signal, bool all) override;
  absl::Status Delete(const std::string& id) override;
  absl::StatusOr<TaskState> State(const std::string& id) override;
  absl::StatusOr<std::vector<uint32_t>> Pids(const std::string& id) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  absl::Status Adopt(const TaskSpec& spec) override;
  absl::StatusOr<ExecResult> ExecSync(const std::string& id, const std::string& process_json,
                                      absl::Duration timeout) override;
  absl::StatusOr<std::unique_ptr<ExecSession>> Exec(const std::string& id,
                                                    const std::string& process_json,
                                                    const SessionStreams& streams) override;
  absl::StatusOr<std::unique_ptr<TaskSession>> Attach(const std::string& id,
                                                      const SessionStreams& streams) override;
  absl::Status Update(const std::string& id, const std::string& resources_json) override;
  absl::Status ReopenLog(const std::string& id) override;

 private:
  // What is known of a task beside what containerd keeps. Fields that change are
  // guarded by the driver's mu_.
  struct Task {
    std::string id;
    std::string cgroup_path;
    bool stdin_once = false;          // And no terminal.
    std::shared_ptr<ContainerIo> io;  // Null for sandboxes. Set once, under mu_.
    bool oom_event = false;           // containerd said so.
    int oom_kills = -1;               // The cgroup says so; -1: it could not be read.
    bool exited = false;
    bool reported = false;
    TaskExit exit;
  };

  ContainerdDriver(Containerd* containerd, Options options, cgroup::Hierarchies hierarchies,
                   std::unique_ptr<IoLoop> loop, IoDirectory streams, IoDirectory execs);

  std::shared_ptr<Task> Find(const std::string& id);
  // FailedPrecondition if the task is known to have ended.
  absl::Status CheckRuns(const std::string& id);
  absl::StatusOr<std::shared_ptr<Task>> Add(const TaskSpec& spec);
  void Forget(const std::string& id);

  absl::Status CreateContainer(const TaskSpec& spec);
  absl::StatusOr<uint32_t> CreateTask(const TaskSpec& spec, const ContainerIo* io);
  absl::Status DeleteTask(const std::string& id);
  absl::Status DeleteContainer(const std::string& id);
  // SIGKILL to all processes of a task that runs, and its end.
  absl::Status Stop(const std::string& id);

  void OnEvent(const containerd::types::Envelope& envelope);
  void OnTaskExit(const std::string& id, const TaskExit& exit);
  // Reads the count from the cgroup while it is there.
  void NoteOom(const std::shared_ptr<Task>& task);
  void Report(const std::shared_ptr<Task>& task);

  Containerd* const containerd_;
  const Options options_;
  const cgroup::Hierarchies hierarchies_;
  const IoDirectory streams_;  // <id>/{stdin,stdout,stderr}
  const IoDirectory execs_;    // <exec id>/{stdin,stdout,stderr}
  ExitCallback on_exit_;
  const std::unique_ptr<IoLoop> loop_;
  ExecSyncRunner exec_;
  ExecSessions sessions_;

  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Task>> tasks_ ABSL_GUARDED_BY(mu_);

  // These call back into all of the above; the destructor ends them first.
  std::unique_ptr<ExitWatcher> watcher_;
  std::unique_ptr<EventStream> events_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_CONTAINERD_DRIVER_H_
