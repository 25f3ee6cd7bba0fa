// What the shim answers on its socket: containerd.task.v2.Task, containerd.task.v3.Task
// (the same messages) and crisp.shim.v1.Shim.
//
// One file a group of calls: task_lifecycle.cc, task_process.cc, task_resources.cc,
// task_shim.cc for Task, pod.cc and pod_streams.cc for crisp.shim.v1. methods.h lists them.
//
// Ownership: borrows the tasks; owns nothing.
// Threads:   the loop's.
// Errors:    the codes that containerd's clients expect, as Task says; UNIMPLEMENTED for
//            an unknown service or method.
#ifndef CRISP_SHIM_SERVICE_SERVICE_H_
#define CRISP_SHIM_SERVICE_SERVICE_H_

#include <functional>
#include <utility>

#include "absl/strings/string_view.h"
#include "shim/task/tasks.h"
#include "shim/ttrpc/server.h"

namespace crisp::shim {

class Service {
 public:
  // `shutdown` is called when a Shutdown was answered and no task is left.
  Service(Tasks* tasks, std::function<void()> shutdown)
      : tasks_(tasks), shutdown_(std::move(shutdown)) {}

  void Handle(absl::string_view service, absl::string_view method, absl::string_view payload,
              Reply reply);

  Tasks& tasks() { return *tasks_; }
  void Shutdown() { shutdown_(); }

 private:
  Tasks* const tasks_;
  const std::function<void()> shutdown_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_SERVICE_SERVICE_H_
