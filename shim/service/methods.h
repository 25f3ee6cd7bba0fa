// The methods of the shim's services, one function each.
#ifndef CRISP_SHIM_SERVICE_METHODS_H_
#define CRISP_SHIM_SERVICE_METHODS_H_

#include "absl/strings/string_view.h"
#include "shim/service/service.h"
#include "shim/ttrpc/server.h"

namespace crisp::shim {

using Method = void (*)(Service& service, absl::string_view payload, Reply reply);

// The parsed request; none: the reply has been used.
template <typename Request>
bool Parse(absl::string_view payload, Request* request, Reply& reply) {
  if (request->ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return true;
  std::move(reply).Error(absl::InvalidArgumentError("the message does not parse"));
  return false;
}

// containerd.task.v2.Task and v3.
void TaskCreate(Service&, absl::string_view, Reply);  // create.cc
void TaskStart(Service&, absl::string_view, Reply);   // task_lifecycle.cc
void TaskDelete(Service&, absl::string_view, Reply);
void TaskState(Service&, absl::string_view, Reply);
void TaskWait(Service&, absl::string_view, Reply);
void TaskExec(Service&, absl::string_view, Reply);  // task_process.cc
void TaskKill(Service&, absl::string_view, Reply);
void TaskPids(Service&, absl::string_view, Reply);
void TaskResizePty(Service&, absl::string_view, Reply);
void TaskCloseIO(Service&, absl::string_view, Reply);
void TaskPause(Service&, absl::string_view, Reply);  // task_resources.cc
void TaskResume(Service&, absl::string_view, Reply);
void TaskUpdate(Service&, absl::string_view, Reply);
void TaskStats(Service&, absl::string_view, Reply);
void TaskConnect(Service&, absl::string_view, Reply);  // task_shim.cc
void TaskShutdown(Service&, absl::string_view, Reply);
void TaskCheckpoint(Service&, absl::string_view, Reply);

// crisp.shim.v1.Shim.
void PodCreate(Service&, absl::string_view, Reply);  // create.cc
void PodWatch(Service&, absl::string_view, Reply);   // pod.cc
void PodList(Service&, absl::string_view, Reply);
void PodStats(Service&, absl::string_view, Reply);
void PodExecSync(Service&, absl::string_view, Reply);  // pod_streams.cc
void PodAttach(Service&, absl::string_view, Reply);
void PodAwaitDetach(Service&, absl::string_view, Reply);
void PodReopenLog(Service&, absl::string_view, Reply);

// What Task.State and Shim.List call a state.
wire::Status WireStatus(State state);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_SERVICE_METHODS_H_
