// The tasks of this shim: a pod's pause and its containers, or one container.
//
// Ownership: owns them, until they are deleted.
// Threads:   the loop's.
// Errors:    AlreadyExists, NotFound; otherwise as Task.
#ifndef CRISP_SHIM_TASK_TASKS_H_
#define CRISP_SHIM_TASK_TASKS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "api/shim/wire/task.pb.h"
#include "shim/io/open_stdio.h"
#include "shim/io/process_io.h"
#include "shim/launch/launch.h"
#include "shim/task/task.h"
#include "shim/task/task_context.h"

namespace crisp::shim {

struct NewTask {
  ContainerLaunch launch;   // Without streams, mounts_from and cache_dir.
  std::string mounts_from;  // A task's id; empty: this process's mounts.
  std::unique_ptr<ProcessIo> io;
  StreamOwner owner;  // Of its execs' streams, too.
  StreamNames names;
  wire::CreateTaskRequest told;  // For the event.
};

class Tasks {
 public:
  explicit Tasks(TaskContext* context);
  ~Tasks();

  // A task that is still being made cannot be found.
  absl::StatusOr<Task*> Find(const std::string& id);
  // Also one that is being made: to be deleted.
  absl::StatusOr<Task*> FindAny(const std::string& id);

  // Before streams are opened: whether the id is free and fit.
  absl::Status CheckNew(const std::string& id) const;
  void Create(NewTask task, Task::PidCallback done);

  bool empty() const { return tasks_.empty(); }
  const std::map<std::string, std::unique_ptr<Task>>& all() const { return tasks_; }

  TaskContext* context() { return context_; }

 private:
  TaskContext* const context_;
  std::map<std::string, std::unique_ptr<Task>> tasks_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASKS_H_
