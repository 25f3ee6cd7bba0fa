// One container, or the pause process: its init, its execs, their lives and ends.
//
// Ownership: owns its processes' records and streams. A Task that is destroyed leaves
//            what runs alone.
// Threads:   the loop's. Nothing waits: what takes time calls back.
// Errors:    as containerd's clients expect: NotFound for what is not there or has
//            ended, AlreadyExists, FailedPrecondition for a move that the state does not
//            allow (state.h); the launcher's own otherwise.
// Crash:     the exit of init is on disk (exit_record.h) before anybody hears of it.
#ifndef CRISP_SHIM_TASK_TASK_H_
#define CRISP_SHIM_TASK_TASK_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/shim/wire/task.pb.h"
#include "base/unique_fd.h"
#include "cgroup/cgroup.h"
#include "shim/io/open_stdio.h"
#include "shim/io/process_io.h"
#include "shim/launch/launch.h"
#include "shim/task/exit_record.h"
#include "shim/task/task_context.h"
#include "shim/task/task_process.h"

namespace crisp::shim {

class Task {
 public:
  using PidCallback = TaskProcess::PidCallback;
  using ExitCallback = absl::AnyInvocable<void(absl::StatusOr<ExitRecord>)>;

  // `forget` destroys the task; it is called last.
  Task(TaskContext* context, std::string id, std::string bundle, StreamOwner owner,
       std::function<void()> forget);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const std::string& id() const { return id_; }
  const std::string& bundle() const { return bundle_; }
  const StreamOwner& stream_owner() const { return stream_owner_; }
  const TaskProcess& init() const { return *init_; }
  // NotFound. An empty id is init's.
  absl::StatusOr<TaskProcess*> Find(const std::string& exec_id);
  // Its namespaces can be joined.
  bool running() const;
  // Made, and not about to be forgotten.
  bool exists() const {
    return init_->state != State::kCreating && (init_->state != State::kStopped || init_->exit);
  }

  // --- task_life.cc: from Create to the last exit.

  // `request.streams` is filled in from `io`. On failure the task forgets itself.
  void Create(ContainerLaunch request, std::unique_ptr<ProcessIo> io, StreamNames names,
              const wire::CreateTaskRequest& told, PidCallback done);
  absl::Status AddExec(const std::string& exec_id, std::string process_json,
                       std::unique_ptr<ProcessIo> io, StreamNames names);
  void Start(const std::string& exec_id, PidCallback done);
  void Wait(const std::string& exec_id, ExitCallback done);
  // Of init: forgets the task. A task that was never started, or is being created, is
  // ended by it.
  void Delete(const std::string& exec_id, ExitCallback done);

  // Takes the news of all launches under way.
  void AdvanceLaunches();

  // --- task_control.cc: what is done to it while it lives.

  absl::Status Kill(const std::string& exec_id, uint32_t signal, bool all);
  absl::Status Pause();
  absl::Status Resume();
  absl::Status Update(const std::string& resources_json);
  absl::StatusOr<cgroup::Stats> Stats();
  // Never empty: a client takes that for a task that is lost.
  std::vector<pid_t> Pids();
  const std::map<std::string, std::unique_ptr<TaskProcess>>& execs() const { return execs_; }

  // --- exec_sync.cc: a process from start to end.

  struct ExecResult {
    int exit_code = 0;
    std::string out, err;
  };
  struct ExecRequest {
    std::string process_json;
    absl::Duration timeout;  // Infinite: none. Then SIGKILL, and DeadlineExceeded.
    size_t max_output_bytes = 0;
    absl::Duration drain;
  };
  void ExecSync(ExecRequest request, absl::AnyInvocable<void(absl::StatusOr<ExecResult>)> done);

 private:
  void BeginCreate(ContainerLaunch request);
  absl::Status WatchLaunch(TaskProcess* process);
  // Takes the launch's news.
  void Advance(TaskProcess* process);
  // Asks for its exit as soon as there is a pid: one that nobody asks for is kept for a
  // while only.
  void Claim(TaskProcess* process);
  void Created();
  void Running(TaskProcess* process);
  void InitRunning();
  void LaunchFailed(TaskProcess* process, const absl::Status& status);
  void Launched(TaskProcess* process, absl::StatusOr<pid_t> result);

  void OnReaped(TaskProcess* process, const ProcessExit& exit);
  void InitReaped();
  // Tells of the exits that may be told: init's only after all execs'.
  void TellExits();
  void TellExit(TaskProcess* process);
  std::string ExitPath() const;

  void DeleteExec(TaskProcess* process, ExitCallback done);
  void ContinueDelete();
  void Teardown();
  void Forget();

  void ForgetSync(const std::string& exec_id);

  void WatchOom();
  void OnOom();

  TaskContext* const context_;
  const std::string id_;
  const std::string bundle_;  // Empty: a task of crispd's.
  const StreamOwner stream_owner_;
  const std::function<void()> forget_;
  wire::TaskCreate create_event_;  // Until it is published.

  std::unique_ptr<TaskProcess> init_;
  std::map<std::string, std::unique_ptr<TaskProcess>> execs_;
  ContainerFacts facts_;
  std::optional<cgroup::Cgroup> cgroup_;
  UniqueFd oom_;
  Loop::Id oom_watch_ = 0;
  Loop::Id oom_recheck_ = 0;
  uint64_t oom_kills_ = 0;

  std::vector<ExitCallback> deleting_;  // Who waits for the task to be gone.
  bool draining_ = false;
  int teardowns_ = 0;
  pid_t poststart_ = 0;  // The hooks' worker, as long as it runs.

  uint64_t next_sync_ = 1;
  std::vector<std::string> finished_syncs_;  // Execs to forget, from the loop.
  Loop::Id sync_sweep_ = 0;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASK_H_
