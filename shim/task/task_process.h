// One process of a task: its init, or an exec.
#ifndef CRISP_SHIM_TASK_TASK_PROCESS_H_
#define CRISP_SHIM_TASK_TASK_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "shim/io/process_io.h"
#include "shim/launch/launch.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"
#include "shim/task/exit_record.h"
#include "shim/task/state.h"

namespace crisp::shim {

// The names of its streams, as the client gave them.
struct StreamNames {
  std::string in, out, err;
};

struct TaskProcess {
  using PidCallback = absl::AnyInvocable<void(absl::StatusOr<pid_t>)>;
  using ExitCallback = absl::AnyInvocable<void(const ExitRecord&)>;

  TaskProcess(Loop* l, Children* c, std::string exec)
      : loop(l), children(c), exec_id(std::move(exec)) {}
  ~TaskProcess() {
    DropLaunch();
    if (claimed != 0 && !reaped.has_value()) children->Forget(claimed);
  }
  TaskProcess(const TaskProcess&) = delete;
  TaskProcess& operator=(const TaskProcess&) = delete;

  void DropLaunch() {
    loop->Unwatch(launch_watch);
    launch_watch = 0;
    launch.reset();
  }

  Loop* const loop;
  Children* const children;
  const std::string exec_id;  // Empty: the task's init.
  StreamNames names;
  std::string spec_json;  // Of an exec that has not been started.

  State state = State::kCreating;
  pid_t pid = 0;      // Once it is made, or an exec runs; it stays after the end.
  pid_t claimed = 0;  // Whose exit `children` tells us.
  std::unique_ptr<ProcessIo> io;
  std::unique_ptr<Launch> launch;  // As long as there is something to come of it.
  Loop::Id launch_watch = 0;
  PidCallback launched;  // Of the Create or Start under way.

  std::optional<ProcessExit> reaped;  // It has ended; maybe nobody may know yet.
  std::optional<ExitRecord> exit;     // Told. Set exactly in kStopped.
  std::vector<ExitCallback> waiters;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASK_PROCESS_H_
