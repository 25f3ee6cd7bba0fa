// Pause, Resume, Update, Stats: a task's cgroup.
#include <utility>

#include "api/shim/wire/task.pb.h"
#include "base/status_macros.h"
#include "shim/service/methods.h"
#include "shim/service/metrics.h"

namespace crisp::shim {
namespace {

void Answer(Reply reply, const absl::Status& status) {
  if (!status.ok()) return std::move(reply).Error(status);
  std::move(reply).Ok(wire::Empty());
}

}  // namespace

void TaskPause(Service& service, absl::string_view payload, Reply reply) {
  wire::PauseRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  Answer(std::move(reply), task.ok() ? (*task)->Pause() : task.status());
}

void TaskResume(Service& service, absl::string_view payload, Reply reply) {
  wire::ResumeRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  Answer(std::move(reply), task.ok() ? (*task)->Resume() : task.status());
}

void TaskUpdate(Service& service, absl::string_view payload, Reply reply) {
  wire::UpdateTaskRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  Answer(std::move(reply),
         task.ok() ? (*task)->Update(request.resources().value()) : task.status());
}

void TaskStats(Service& service, absl::string_view payload, Reply reply) {
  wire::StatsRequest request;
  if (!Parse(payload, &request, reply)) return;
  const auto task = service.tasks().Find(request.id());
  if (!task.ok()) return std::move(reply).Error(task.status());
  const auto stats = (*task)->Stats();
  if (!stats.ok()) return std::move(reply).Error(stats.status());
  wire::StatsResponse response;
  *response.mutable_stats() = MetricsOf(*stats);
  std::move(reply).Ok(response);
}

}  // namespace crisp::shim
