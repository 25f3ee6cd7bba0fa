#include "cri/task/native_messages.h"

namespace crisp::cri {

shim::v1::CreateRequest CreateRequestOf(const TaskSpec& spec) {
  shim::v1::CreateRequest request;
  request.set_id(spec.id);
  request.set_spec_json(spec.spec_json);
  for (const containerd::types::Mount& mount : spec.rootfs) {
    shim::wire::Mount& out = *request.add_rootfs();
    out.set_type(mount.type());
    out.set_source(mount.source());
    out.set_target(mount.target());
    for (const std::string& option : mount.options()) out.add_options(option);
  }
  if (spec.is_sandbox) return request;
  request.set_mounts_from(spec.sandbox_id);
  shim::v1::Streams& streams = *request.mutable_streams();
  if (!spec.log_directory.empty() && !spec.log_path.empty()) {
    streams.set_log_directory(spec.log_directory);
    streams.set_log_path(spec.log_path);
  }
  streams.set_terminal(spec.tty);
  streams.set_stdin(spec.stdin);
  streams.set_stdin_once(spec.stdin_once);
  return request;
}

TaskStatus TaskStatusOf(shim::wire::Status status) {
  switch (status) {
    case shim::wire::CREATED:
      return TaskStatus::kCreated;
    case shim::wire::RUNNING:
      return TaskStatus::kRunning;
    case shim::wire::STOPPED:
      return TaskStatus::kStopped;
    case shim::wire::PAUSED:
    case shim::wire::PAUSING:
      return TaskStatus::kPaused;
    default:
      return TaskStatus::kUnknown;
  }
}

TaskExit TaskExitOf(const shim::v1::Exit& exit) {
  return {.exit_code = exit.exit_code(),
          .exited_at_ns = exit.exited_at_ns(),
          .oom_killed = exit.oom_killed()};
}

absl::Status FromLaunch(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnknown:
      return absl::InternalError(status.message());
    default:
      return status;
  }
}

}  // namespace crisp::cri
