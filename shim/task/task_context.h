// What all tasks of one shim share.
#ifndef CRISP_SHIM_TASK_TASK_CONTEXT_H_
#define CRISP_SHIM_TASK_TASK_CONTEXT_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"
#include "shim/launch/launch.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"
#include "shim/task/task_events.h"

namespace crisp::shim {

// How processes come to be: Launch's own functions, or a test's.
struct Launcher {
  std::function<absl::StatusOr<std::unique_ptr<Launch>>(const ContainerLaunch&)> container;
  std::function<absl::StatusOr<std::unique_ptr<Launch>>(const ExecLaunch&)> exec;
  std::function<absl::StatusOr<pid_t>(const ContainerFacts&, const std::string& bundle)> poststart;
  std::function<absl::StatusOr<pid_t>(const ContainerFacts&, const std::string& bundle)> teardown;
};

struct TaskContext {
  Loop* loop;
  Children* children;
  TaskEvents* events;
  Launcher launcher;
  cgroup::Hierarchies hierarchies;
  std::string container_namespace;  // containerd's; empty under crispd.
  // Where exit records of tasks without a bundle go.
  std::string exit_directory;
  std::string cache_dir;  // Of compiled seccomp filters.
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASK_CONTEXT_H_
