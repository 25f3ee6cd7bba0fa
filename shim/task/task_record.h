// What has to be known of a container to end it without its shim: in
// <bundle>/task.json, for containerd's `delete` call after a shim has died.
//
// Threads: free functions.
// Errors:  errno; NotFound when there is no record.
// Crash:   written by rename.
#ifndef CRISP_SHIM_TASK_TASK_RECORD_H_
#define CRISP_SHIM_TASK_TASK_RECORD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::shim {

struct TaskRecord {
  pid_t pid = 0;
  uint64_t start_time = 0;  // Of the process, as /proc/<pid>/stat counts: pids are used again.
  std::string cgroup_path;  // From the root of the hierarchies; empty: none.
};

// The start time of a live process; 0: there is none.
uint64_t StartTimeOf(pid_t pid);

absl::Status WriteTaskRecord(const std::string& bundle, const TaskRecord& record);
absl::StatusOr<TaskRecord> ReadTaskRecord(const std::string& bundle);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASK_RECORD_H_
