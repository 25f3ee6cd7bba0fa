// Create, Start, Delete, State, Wait: from nothing to nothing.
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/shim/wire/bootstrap.pb.h"
#include "api/shim/wire/task.pb.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "shim/io/open_stdio.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

constexpr char kRuncOptions[] = "containerd.runc.v1.Options";
constexpr size_t kMaxSpecBytes = 16 << 20;

absl::StatusOr<wire::RuncOptions> OptionsOf(const wire::CreateTaskRequest& request) {
  wire::RuncOptions options;
  // Another runtime's options say nothing to us.
  if (request.options().type_url() == kRuncOptions &&
      !options.ParseFromString(request.options().value())) {
    return absl::InvalidArgumentError("options do not parse");
  }
  return options;
}

absl::StatusOr<NewTask> NewTaskOf(Tasks& tasks, const wire::CreateTaskRequest& request) {
  CRISP_RETURN_IF_ERROR(tasks.CheckNew(request.id()));
  if (!request.checkpoint().empty()) {
    return absl::UnimplementedError("restoring from a checkpoint is not supported");
  }
  if (request.bundle().empty() || request.bundle()[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("bundle \"", request.bundle(), "\" is not absolute"));
  }
  CRISP_ASSIGN_OR_RETURN(const wire::RuncOptions options, OptionsOf(request));

  NewTask task;
  task.launch.id = request.id();
  task.launch.bundle = request.bundle();
  CRISP_ASSIGN_OR_RETURN(task.launch.spec_json,
                         ReadFile(JoinPath(request.bundle(), "config.json"), kMaxSpecBytes));
  for (const wire::Mount& mount : request.rootfs()) {
    task.launch.rootfs.push_back({mount.type(),
                                  mount.source(),
                                  mount.target(),
                                  {mount.options().begin(), mount.options().end()}});
  }
  task.launch.no_pivot_root = options.no_pivot_root();
  task.launch.no_new_keyring = options.no_new_keyring();

  Stdio stdio;
  stdio.in = request.stdin();
  stdio.out = request.stdout();
  stdio.err = request.stderr();
  stdio.terminal = request.terminal();
  stdio.uid = options.io_uid();
  stdio.gid = options.io_gid();
  stdio.container_id = request.id();
  stdio.container_namespace = tasks.context()->container_namespace;
  CRISP_ASSIGN_OR_RETURN(task.io,
                         OpenStdio(tasks.context()->loop, tasks.context()->children, stdio));
  task.names = {stdio.in, stdio.out, stdio.err};
  task.told = request;
  return task;
}

void Answer(Reply reply, const absl::StatusOr<ExitRecord>& exit) {
  if (!exit.ok()) return std::move(reply).Error(exit.status());
  wire::DeleteResponse response;
  response.set_pid(static_cast<uint32_t>(exit->pid));
  response.set_exit_status(static_cast<uint32_t>(exit->exit_code));
  *response.mutable_exited_at() = ToTimestamp(exit->exited_at);
  std::move(reply).Ok(response);
}

}  // namespace

wire::Status WireStatus(State state) {
  switch (state) {
    case State::kCreating:
      return wire::UNKNOWN;
    case State::kCreated:
    case State::kStarting:
      return wire::CREATED;
    case State::kRunning:
      return wire::RUNNING;
    case State::kPaused:
      return wire::PAUSED;
    case State::kStopped:
      return wire::STOPPED;
  }
  return wire::UNKNOWN;
}

void TaskCreate(Service& service, absl::string_view payload, Reply reply) {
  wire::CreateTaskRequest request;
  if (!Parse(payload, &request, reply)) return;
  auto task = NewTaskOf(service.tasks(), request);
  if (!task.ok()) return std::move(reply).Error(task.status());
  service.tasks().Create(*std::move(task),
                         [reply = std::move(reply)](absl::StatusOr<pid_t> pid) mutable {
                           if (!pid.ok()) return std::move(reply).Error(pid.status());
                           wire::CreateTaskResponse response;
                           response.set_pid(static_cast<uint32_t>(*pid));
                           std::move(reply).Ok(response);
                         });
}

void TaskStart(Service& service, absl::string_view payload, Reply reply) {
  wire::StartRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  (*task)->Start(request.exec_id(), [reply = std::move(reply)](absl::StatusOr<pid_t> pid) mutable {
    if (!pid.ok()) return std::move(reply).Error(pid.status());
    wire::StartResponse response;
    response.set_pid(static_cast<uint32_t>(*pid));
    std::move(reply).Ok(response);
  });
}

void TaskDelete(Service& service, absl::string_view payload, Reply reply) {
  wire::DeleteRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().FindAny(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  (*task)->Delete(request.exec_id(),
                  [reply = std::move(reply)](absl::StatusOr<ExitRecord> exit) mutable {
                    Answer(std::move(reply), exit);
                  });
}

void TaskState(Service& service, absl::string_view payload, Reply reply) {
  wire::StateRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  const auto found = (*task)->Find(request.exec_id());
  if (!found.ok()) return std::move(reply).Error(found.status());
  const TaskProcess& process = **found;
  wire::StateResponse response;
  response.set_id(request.id());
  response.set_exec_id(request.exec_id());
  response.set_bundle((*task)->bundle());
  response.set_pid(static_cast<uint32_t>(process.pid));
  response.set_status(WireStatus(process.state));
  response.set_stdin(process.names.in);
  response.set_stdout(process.names.out);
  response.set_stderr(process.names.err);
  response.set_terminal(process.io->terminal());
  if (process.exit.has_value()) {
    response.set_exit_status(static_cast<uint32_t>(process.exit->exit_code));
    *response.mutable_exited_at() = ToTimestamp(process.exit->exited_at);
  }
  std::move(reply).Ok(response);
}

void TaskWait(Service& service, absl::string_view payload, Reply reply) {
  wire::WaitRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  (*task)->Wait(request.exec_id(),
                [reply = std::move(reply)](absl::StatusOr<ExitRecord> exit) mutable {
                  if (!exit.ok()) return std::move(reply).Error(exit.status());
                  wire::WaitResponse response;
                  response.set_exit_status(static_cast<uint32_t>(exit->exit_code));
                  *response.mutable_exited_at() = ToTimestamp(exit->exited_at);
                  std::move(reply).Ok(response);
                });
}

}  // namespace crisp::shim
