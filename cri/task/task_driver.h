// Where containers run: tasks of one kind of runtime, behind one interface.
//
// A task is one OCI container: its init process, the processes executed into it,
// its standard streams and its log. The pod and container core decides; a driver
// makes, watches and removes.
//
// Ownership: a driver owns the streams of its tasks, never the tasks themselves:
//            destroying it leaves every container running, and a new driver over
//            the same state directory takes each up again with Adopt.
// Threads:   every method may be called from any thread and may block, bounded by
//            the driver's own deadlines. Calls for one id that change it (Create,
//            Start, Delete, Adopt) are the caller's to serialise; Kill, State,
//            ExecSync, Exec, Attach and ReopenLog may run beside them.
// Errors:    NotFound: no such task. Unavailable: the engine below does not
//            answer; the state of the task is as it was. Runtime failures carry
//            the runtime's own text.
// Crash:     tasks, their streams and (as far as the engine keeps them) their
//            exit codes outlive the process that holds the driver.
#ifndef CRISP_CRI_TASK_TASK_DRIVER_H_
#define CRISP_CRI_TASK_TASK_DRIVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/containerd/mount.pb.h"
#include "cri/task/task_session.h"

namespace crisp::cri {

struct TaskSpec {
  std::string id;
  std::string sandbox_id;   // Of the pod; the same as `id` for a sandbox.
  bool is_sandbox = false;  // A sandbox has no streams and no log.
  std::string spec_json;    // OCI runtime spec. Adopt does not need it.

  // What to mount as the root, in order. Empty: the spec's root.path is ready.
  std::vector<containerd::types::Mount> rootfs;
  std::string snapshot_key;  // Kept alive for as long as the task; may be empty.
  std::string image_name;
  std::map<std::string, std::string> labels;

  // The container's cgroup, from the root of the hierarchy ("/kubepods/.../<id>"),
  // as the spec's cgroupsPath resolves: where OOM kills are counted.
  std::string cgroup_path;

  // The log is log_directory/log_path: the first absolute, the second relative and
  // clean. Either one empty: output is discarded.
  std::string log_directory;
  std::string log_path;

  bool tty = false;
  bool stdin = false;  // Without it the container reads /dev/null.
  bool stdin_once = false;
};

struct TaskExit {
  int exit_code = 0;  // 128 + signal when killed by one.
  int64_t exited_at_ns = 0;
  bool oom_killed = false;  // The kernel's OOM killer is why exit_code is 137.
  bool lost = false;        // Nobody knows how it ended; exit_code is kLostExitCode.
};

inline constexpr int kLostExitCode = 255;

enum class TaskStatus { kUnknown, kCreated, kRunning, kStopped, kPaused };

struct TaskState {
  TaskStatus status = TaskStatus::kUnknown;
  uint32_t pid = 0;
  TaskExit exit;  // Meaningful when kStopped.
};

struct ExecResult {
  std::string out;  // Each stream is cut at 16 MiB; what follows is read and dropped.
  std::string err;
  int exit_code = 0;
};

class TaskDriver {
 public:
  // Called once for each task that Create or Adopt took up, when it has ended and
  // its output has reached the log (or a short bound has passed). It may come before Start
  // returns, and for a task that never started. It runs on a thread that also
  // carries the output of other containers: it must not block nor call the driver.
  // The exit of a task that is deleted before it was reported may still come
  // shortly after Delete has returned, or not at all.
  using ExitCallback = std::function<void(const std::string& id, const TaskExit& exit)>;

  virtual ~TaskDriver() = default;

  // Whether a pod's /dev/shm and volumes live in the mount namespace of its pause
  // process, from which its containers' namespaces are made, and not in the host's.
  // Then mounts of a spec may name sources in there (SpecMount::from_pod).
  virtual bool owns_pod_mounts() const { return false; }

  // What containers of this driver may ask for, on this host.
  struct Features {
    bool recursive_read_only = false;
    bool user_namespaces = false;  // With idmapped mounts, and a root that is seen through one.
  };
  virtual Features features() const { return {}; }

  // Set once, before any other call.
  virtual void OnExit(ExitCallback callback) = 0;

  // Makes the task: its init is there with all its namespaces and cgroups, and
  // waits to be started. Returns init's pid. AlreadyExists if the id is taken.
  // On any other failure nothing of it is left, or Delete removes what is.
  virtual absl::StatusOr<uint32_t> Create(const TaskSpec& spec) = 0;

  // Runs the container's program. FailedPrecondition if it ran already.
  virtual absl::Status Start(const std::string& id) = 0;

  // Sends `signal` to init, or with `all` to every process of the container.
  // OK if the task or its init is gone already.
  virtual absl::Status Kill(const std::string& id, int signal, bool all) = 0;

  // Removes the task, its streams and what the engine remembers of it; a process
  // that still runs is killed first. Idempotent: OK for an unknown id, for a task
  // that is half made and for one of an earlier life of the driver.
  virtual absl::Status Delete(const std::string& id) = 0;

  virtual absl::StatusOr<TaskState> State(const std::string& id) = 0;

  // The host pids of the container's processes.
  virtual absl::StatusOr<std::vector<uint32_t>> Pids(const std::string& id) = 0;

  // Ids of all tasks and half-made tasks that crisp made with this driver.
  virtual absl::StatusOr<std::vector<std::string>> List() = 0;

  // Takes up a task that an earlier driver made: output flows on into the log and
  // the exit is reported. Works while the engine is away. A task that turns out
  // to be gone is reported as lost. AlreadyExists if this driver has it already.
  virtual absl::Status Adopt(const TaskSpec& spec) = 0;

  // Runs an OCI process beside init and collects its output. A zero or infinite
  // `timeout` is none; on timeout the process is killed and DeadlineExceeded
  // returned. A non-zero exit code is not an error. Children of the process that
  // keep its streams open delay the result by a short bound only. `process_json` has no terminal.
  // NotFound: no such task. FailedPrecondition: it does not run.
  virtual absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                              const std::string& process_json,
                                              absl::Duration timeout) = 0;

  // Runs an OCI process beside init with its streams in the session's hands. When
  // this returns it has been started. process_json and `streams` agree on whether it
  // has a terminal. NotFound: no such task. FailedPrecondition: it does not run.
  virtual absl::StatusOr<std::unique_ptr<ExecSession>> Exec(const std::string& id,
                                                            const std::string& process_json,
                                                            const SessionStreams& streams) = 0;

  // Joins the streams of a running container, from now on; the log gets the output as
  // before. A session that does not read is dropped (TaskSession::fell_behind). Input is
  // attached where the container has any, and shared with other sessions.
  // NotFound: no such task. FailedPrecondition: it does not run.
  virtual absl::StatusOr<std::unique_ptr<TaskSession>> Attach(const std::string& id,
                                                              const SessionStreams& streams) = 0;

  // Applies OCI LinuxResources to the container.
  virtual absl::Status Update(const std::string& id, const std::string& resources_json) = 0;

  // Goes on in a new file at the log's path: the old one has been renamed. On
  // error output goes on into the old file and no new one exists.
  virtual absl::Status ReopenLog(const std::string& id) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_TASK_DRIVER_H_
