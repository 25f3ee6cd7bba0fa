// The task driver over crisp's own shim: one a pod, started by crispd, spoken to over
// ttrpc. No containerd and nothing that waits for a disk on the way of a pod.
//
// Exits are pushed: one long poll for each shim waits on the loop. What a task's state
// is, is answered from memory.
//
// Ownership: owns the loop's thread, a few for what takes time, and the connections.
//            Destroying it leaves all shims and tasks.
// Threads:   see TaskDriver.
// Errors:    see TaskDriver; what the shim says is kept.
// Crash:     the shims run on. Open connects to those that it finds, and knows from
//            each one's own list, and from the exits that it has recorded, what became
//            of every task. A shim that dies takes its pod with it: what it leaves is
//            killed through the cgroups, and reported with the recorded exit or as
//            lost, with 137. One that hangs delays calls to its own pod only, each by
//            its deadline; killing then goes through the cgroup, and what was killed is
//            let go of without it.
#ifndef CRISP_CRI_TASK_NATIVE_DRIVER_H_
#define CRISP_CRI_TASK_NATIVE_DRIVER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/shim/v1/shim.pb.h"
#include "base/background.h"
#include "base/io_loop.h"
#include "cgroup/hierarchies.h"
#include "cri/task/container_io.h"
#include "cri/task/native_sessions.h"
#include "cri/task/shim_pod.h"
#include "cri/task/task_driver.h"
#include "shim/client/shim_binary.h"

namespace crisp::cri {

class NativeDriver : public TaskDriver {
 public:
  struct Options {
    std::string state_dir;    // Absolute, of this driver alone: a directory a shim.
    std::string shim_binary;  // containerd-shim-crisp-v1
    Features features;        // What the kernel can do of it.
    absl::Duration create_timeout = absl::Minutes(2);
    absl::Duration start_timeout = absl::Minutes(1);
    absl::Duration call_timeout = absl::Seconds(10);
    absl::Duration kill_timeout = absl::Seconds(3);
    absl::Duration delete_timeout = absl::Seconds(10);
    // What a shim of an earlier crispd has to say who it is.
    absl::Duration reconnect_timeout = absl::Seconds(2);
    size_t max_output_bytes = 16 << 20;  // Of each stream of an ExecSync.
    // How long those streams may stay open after the process has ended.
    absl::Duration exec_drain = absl::Seconds(2);
  };

  static absl::StatusOr<std::unique_ptr<NativeDriver>> Open(Options options);
  ~NativeDriver() override;

  void OnExit(ExitCallback callback) override;
  bool owns_pod_mounts() const override { return true; }
  Features features() const override { return options_.features; }
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
  absl::Status Update(const std::string& id, const std::string& resources_json) override;
  absl::Status ReopenLog(const std::string& id) override;
  absl::StatusOr<std::unique_ptr<ExecSession>> Exec(const std::string& id,
                                                    const std::string& process_json,
                                                    const SessionStreams& streams) override;
  absl::StatusOr<std::unique_ptr<TaskSession>> Attach(const std::string& id,
                                                      const SessionStreams& streams) override;

 private:
  // Fields that change are guarded by the driver's mu_.
  struct Task {
    std::string id;
    std::string pod_id;
    std::string cgroup_path;
    std::shared_ptr<ShimPod> pod;  // Null: the task of an Adopt that found nothing.
    bool has_log = false;
    bool has_stdin = false;
    bool ours = false;       // Made or adopted by this driver: its exit is told.
    bool confirmed = false;  // The shim has said that it has it.
    bool exited = false;
    bool reported = false;
    TaskState state;
  };
  using TaskRef = std::shared_ptr<Task>;
  using PodRef = std::shared_ptr<ShimPod>;

  NativeDriver(Options options, shim::ShimBinary binary, cgroup::Hierarchies hierarchies,
               std::unique_ptr<IoLoop> loop, IoDirectory sessions);

  // --- native_driver.cc
  TaskRef Find(const std::string& id);
  // A task that runs, with its shim's connection: NotFound, FailedPrecondition,
  // Unavailable.
  absl::StatusOr<std::shared_ptr<shim::ShimClient>> ClientOf(const std::string& id);
  absl::StatusOr<TaskRef> Add(const TaskSpec& spec);
  absl::StatusOr<PodRef> StartShim(const TaskSpec& spec);
  absl::Status AskToCreate(const TaskSpec& spec, const TaskRef& task);
  absl::Status DeleteByShim(const TaskRef& task);
  // What a shim that is gone, or does not answer, can no longer do.
  absl::Status DeleteWithout(const TaskRef& task);
  // Forgets the task. With the last of a pod its shim ends, in the background.
  void Drop(const TaskRef& task);

  // --- native_exits.cc
  // SIGKILL to the cgroup; the end is reported as lost unless the shim still tells.
  absl::Status KillByCgroup(const TaskRef& task);
  absl::Status SignalCgroup(const std::string& path);
  bool AwaitEmpty(const std::string& path);
  // Of a task that was killed without its shim.
  static TaskExit LostExit();
  void Watch(const PodRef& pod);
  void OnEvents(const PodRef& pod, const shim::v1::WatchResponse& response);
  void Ended(const std::string& id, const TaskExit& exit);
  void OnLost(const PodRef& pod);
  // The shim is gone: so must be all that it started.
  void Bury(const PodRef& pod);
  void InBackground(std::function<void()> work);

  // --- native_recovery.cc
  absl::Status FindShims();
  void TakeList(const PodRef& pod, const shim::v1::ListResponse& response);
  void TakeSilence(const PodRef& pod);
  void TakeDeath(const PodRef& pod);

  const Options options_;
  const shim::ShimBinary binary_;
  const cgroup::Hierarchies hierarchies_;
  ExitCallback on_exit_;
  const std::unique_ptr<IoLoop> loop_;
  NativeSessions sessions_;

  absl::Mutex mu_;
  std::map<std::string, TaskRef> tasks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, PodRef> pods_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<Background> background_;  // Ended first.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_NATIVE_DRIVER_H_
