// One process run inside a task, from its start to its end, with its output.
//
// Ownership: borrows everything. The process's FIFOs have a directory of their own,
//            gone when Run returns.
// Threads:   Run blocks its caller; any number run beside each other.
// Errors:    see TaskDriver::ExecSync. In every case containerd is told to delete
//            the process, which is killed first if need be.
#ifndef CRISP_CRI_TASK_EXEC_SYNC_H_
#define CRISP_CRI_TASK_EXEC_SYNC_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cri/containerd/containerd.h"
#include "cri/task/container_io.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class ExecSyncRunner {
 public:
  struct Options {
    size_t max_output_bytes = 16 << 20;  // Of each stream.
    // How long the streams may stay open after the process has ended.
    absl::Duration drain = absl::Seconds(2);
    // For the runtime to start the process, and for a killed one to be gone.
    absl::Duration start = absl::Seconds(60);
    absl::Duration kill = absl::Seconds(10);
  };

  ExecSyncRunner(Containerd* containerd, IoLoop* loop, const IoDirectory* directory,
                 const Options& options)
      : containerd_(containerd), loop_(loop), directory_(directory), options_(options) {}

  absl::StatusOr<ExecResult> Run(const std::string& task_id, const std::string& process_json,
                                 absl::Duration timeout);

 private:
  // The process's exit code; DeadlineExceeded when it has not ended by `deadline`,
  // which is a time of the steady clock.
  absl::StatusOr<int> Wait(const std::string& task_id, const std::string& exec_id,
                           absl::Duration deadline);
  void KillAndDelete(const std::string& task_id, const std::string& exec_id);

  Containerd* const containerd_;
  IoLoop* const loop_;
  const IoDirectory* const directory_;
  const Options options_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_EXEC_SYNC_H_
