// Exec, Kill, Pids, ResizePty, CloseIO: one process of a task.
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/shim/wire/task.pb.h"
#include "base/status_macros.h"
#include "shim/io/open_stdio.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

constexpr char kProcessDetails[] = "containerd.runc.v1.ProcessDetails";

absl::Status Exec(Tasks& tasks, const wire::ExecProcessRequest& request) {
  CRISP_ASSIGN_OR_RETURN(Task* const task, tasks.Find(request.id()));
  if (!request.exec_id().empty() && task->execs().contains(request.exec_id())) {
    return absl::AlreadyExistsError(
        absl::StrCat("task ", request.id(), " has a process ", request.exec_id()));
  }
  Stdio stdio;
  stdio.in = request.stdin();
  stdio.out = request.stdout();
  stdio.err = request.stderr();
  stdio.terminal = request.terminal();
  stdio.owner = task->stream_owner();
  stdio.container_id = request.id();
  stdio.container_namespace = tasks.context()->container_namespace;
  CRISP_ASSIGN_OR_RETURN(auto io,
                         OpenStdio(tasks.context()->loop, tasks.context()->children, stdio));
  return task->AddExec(request.exec_id(), request.spec().value(), std::move(io),
                       {stdio.in, stdio.out, stdio.err});
}

absl::Status Kill(Tasks& tasks, const wire::KillRequest& request) {
  CRISP_ASSIGN_OR_RETURN(Task* const task, tasks.Find(request.id()));
  return task->Kill(request.exec_id(), request.signal(), request.all());
}

absl::StatusOr<TaskProcess*> FindProcess(Tasks& tasks, const std::string& id,
                                         const std::string& exec_id) {
  CRISP_ASSIGN_OR_RETURN(Task* const task, tasks.Find(id));
  return task->Find(exec_id);
}

void Answer(Reply reply, const absl::Status& status) {
  if (!status.ok()) return std::move(reply).Error(status);
  std::move(reply).Ok(wire::Empty());
}

}  // namespace

void TaskExec(Service& service, absl::string_view payload, Reply reply) {
  wire::ExecProcessRequest request;
  if (!Parse(payload, &request, reply)) return;
  Answer(std::move(reply), Exec(service.tasks(), request));
}

void TaskKill(Service& service, absl::string_view payload, Reply reply) {
  wire::KillRequest request;
  if (!Parse(payload, &request, reply)) return;
  Answer(std::move(reply), Kill(service.tasks(), request));
}

void TaskPids(Service& service, absl::string_view payload, Reply reply) {
  wire::PidsRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  wire::PidsResponse response;
  for (const pid_t pid : (*task)->Pids()) {
    wire::ProcessInfo* const info = response.add_processes();
    info->set_pid(static_cast<uint32_t>(pid));
    for (const auto& [exec_id, exec] : (*task)->execs()) {
      if (exec->pid != pid || exec->reaped.has_value()) continue;
      wire::ProcessDetails details;
      details.set_exec_id(exec_id);
      info->mutable_info()->set_type_url(kProcessDetails);
      info->mutable_info()->set_value(details.SerializeAsString());
    }
  }
  std::move(reply).Ok(response);
}

void TaskResizePty(Service& service, absl::string_view payload, Reply reply) {
  wire::ResizePtyRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto process = FindProcess(service.tasks(), request.id(), request.exec_id());
  Answer(std::move(reply), process.ok() ? (*process)->io->Resize(request.width(), request.height())
                                        : process.status());
}

void TaskCloseIO(Service& service, absl::string_view payload, Reply reply) {
  wire::CloseIORequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto process = FindProcess(service.tasks(), request.id(), request.exec_id());
  if (process.ok() && request.stdin()) (*process)->io->CloseStdin();
  Answer(std::move(reply), process.status());
}

}  // namespace crisp::shim
