// What a test of a task driver needs of the machine: a private containerd, a root
// filesystem with busybox, minimal OCI specs, and a record of reported exits. All
// of it is gone after TearDown, which fails the test when something is left.
#ifndef CRISP_CRI_TASK_DRIVER_TEST_ENV_H_
#define CRISP_CRI_TASK_DRIVER_TEST_ENV_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class DriverTestEnv {
 public:
  static constexpr char kPod[] = "pod";  // Of every task that Spec makes.

  // FailedPrecondition, with the reason, where the machine cannot do it.
  absl::Status SetUp();
  // Everything that is left over, one line each.
  std::vector<std::string> TearDown();

  absl::Status StartContainerd();
  void KillContainerd(int signal);

  const std::string& dir() const { return dir_; }
  std::string socket() const { return dir_ + "/c.sock"; }

  // A task that runs `args` with busybox, logging to dir()/logs/<id>/0.log.
  // `memory_bytes` limits it if not zero.
  TaskSpec Spec(const std::string& id, const std::vector<std::string>& args,
                int64_t memory_bytes = 0) const;
  // For ExecSync.
  static std::string ProcessJson(const std::vector<std::string>& args, bool tty = false);

  std::string LogPath(const std::string& id) const;
  // The log's records without their times: "stdout F text\n".
  std::string Log(const std::string& id) const;

 private:
  std::string dir_;
  pid_t containerd_ = -1;
};

// What a driver reported, as its ExitCallback.
class ExitRecord {
 public:
  TaskDriver::ExitCallback Callback();
  // Waits for the first exit of `id`; exit code -1 if it does not come.
  TaskExit Wait(const std::string& id, absl::Duration timeout = absl::Seconds(60));
  size_t Count(const std::string& id);

 private:
  absl::Mutex mu_;
  std::map<std::string, std::vector<TaskExit>> exits_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_DRIVER_TEST_ENV_H_
