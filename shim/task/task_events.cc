#include "shim/task/task_events.h"

namespace crisp::shim {

wire::Timestamp ToTimestamp(absl::Time time) {
  wire::Timestamp timestamp;
  timestamp.set_seconds(absl::ToUnixSeconds(time));
  timestamp.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp.seconds()))));
  return timestamp;
}

void TaskEvents::Created(const wire::TaskCreate& event) {
  publish_("/tasks/create", "containerd.events.TaskCreate", event);
}

void TaskEvents::Started(const std::string& id, pid_t pid) {
  wire::TaskStart event;
  event.set_container_id(id);
  event.set_pid(static_cast<uint32_t>(pid));
  publish_("/tasks/start", "containerd.events.TaskStart", event);
}

void TaskEvents::Exited(const std::string& id, const std::string& exec_id, const ExitRecord& exit) {
  wire::TaskExit event;
  event.set_container_id(id);
  event.set_id(exec_id.empty() ? id : exec_id);
  event.set_pid(static_cast<uint32_t>(exit.pid));
  event.set_exit_status(static_cast<uint32_t>(exit.exit_code));
  *event.mutable_exited_at() = ToTimestamp(exit.exited_at);
  publish_("/tasks/exit", "containerd.events.TaskExit", event);
  if (!exec_id.empty()) return;
  v1::Event logged;
  logged.set_id(id);
  logged.mutable_exit()->set_exit_code(exit.exit_code);
  logged.mutable_exit()->set_exited_at_ns(absl::ToUnixNanos(exit.exited_at));
  logged.mutable_exit()->set_oom_killed(exit.oom_killed);
  log_.Add(std::move(logged));
}

void TaskEvents::Deleted(const std::string& id, const ExitRecord& exit) {
  wire::TaskDelete event;
  event.set_container_id(id);
  event.set_pid(static_cast<uint32_t>(exit.pid));
  event.set_exit_status(static_cast<uint32_t>(exit.exit_code));
  *event.mutable_exited_at() = ToTimestamp(exit.exited_at);
  publish_("/tasks/delete", "containerd.events.TaskDelete", event);
}

void TaskEvents::Oom(const std::string& id) {
  wire::TaskOOM event;
  event.set_container_id(id);
  publish_("/tasks/oom", "containerd.events.TaskOOM", event);
  v1::Event logged;
  logged.set_id(id);
  logged.mutable_oom();
  log_.Add(std::move(logged));
}

void TaskEvents::ExecAdded(const std::string& id, const std::string& exec_id) {
  wire::TaskExecAdded event;
  event.set_container_id(id);
  event.set_exec_id(exec_id);
  publish_("/tasks/exec-added", "containerd.events.TaskExecAdded", event);
}

void TaskEvents::ExecStarted(const std::string& id, const std::string& exec_id, pid_t pid) {
  wire::TaskExecStarted event;
  event.set_container_id(id);
  event.set_exec_id(exec_id);
  event.set_pid(static_cast<uint32_t>(pid));
  publish_("/tasks/exec-started", "containerd.events.TaskExecStarted", event);
}

void TaskEvents::Paused(const std::string& id) {
  wire::TaskPaused event;
  event.set_container_id(id);
  publish_("/tasks/paused", "containerd.events.TaskPaused", event);
}

void TaskEvents::Resumed(const std::string& id) {
  wire::TaskResumed event;
  event.set_container_id(id);
  publish_("/tasks/resumed", "containerd.events.TaskResumed", event);
}

}  // namespace crisp::shim
