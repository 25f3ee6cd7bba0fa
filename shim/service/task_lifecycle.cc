// Start, Delete, State, Wait: from a task that was made to nothing.
#include <utility>

#include "api/shim/wire/task.pb.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

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
