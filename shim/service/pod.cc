// crisp.shim.v1: Create, Watch, List, Stats: a pod's tasks as crispd drives them.
#include <utility>

#include "absl/time/time.h"
#include "api/shim/v1/shim.pb.h"
#include "base/status_macros.h"
#include "shim/io/container_log.h"
#include "shim/service/methods.h"
#include "shim/service/metrics.h"

namespace crisp::shim {
namespace {

absl::StatusOr<NewTask> NewTaskOf(Tasks& tasks, v1::CreateRequest& request) {
  CRISP_RETURN_IF_ERROR(tasks.CheckNew(request.id()));
  Loop* const loop = tasks.context()->loop;
  const v1::Streams& streams = request.streams();
  NewTask task;
  CRISP_ASSIGN_OR_RETURN(auto log,
                         ContainerLog::Open(loop, streams.log_directory(), streams.log_path()));
  task.io = std::make_unique<ProcessIo>(loop, streams.terminal());
  CRISP_RETURN_IF_ERROR(task.io->AddLog(std::move(log)));
  if (streams.stdin()) CRISP_RETURN_IF_ERROR(task.io->AddInput());
  task.io->SetStdinOnce(streams.stdin_once());

  task.launch.id = request.id();
  task.launch.spec_json = std::move(*request.mutable_spec_json());
  for (const wire::Mount& mount : request.rootfs()) {
    task.launch.rootfs.push_back({mount.type(),
                                  mount.source(),
                                  mount.target(),
                                  {mount.options().begin(), mount.options().end()}});
  }
  task.launch.crisp_options = true;
  task.mounts_from = request.mounts_from();
  return task;
}

}  // namespace

void PodCreate(Service& service, absl::string_view payload, Reply reply) {
  v1::CreateRequest request;
  if (!Parse(payload, &request, reply)) return;
  auto task = NewTaskOf(service.tasks(), request);
  if (!task.ok()) return std::move(reply).Error(task.status());
  service.tasks().Create(*std::move(task),
                         [reply = std::move(reply)](absl::StatusOr<pid_t> pid) mutable {
                           if (!pid.ok()) return std::move(reply).Error(pid.status());
                           v1::CreateResponse response;
                           response.set_pid(static_cast<uint32_t>(*pid));
                           std::move(reply).Ok(response);
                         });
}

void PodWatch(Service& service, absl::string_view payload, Reply reply) {
  v1::WatchRequest request;
  if (!Parse(payload, &request, reply)) return;
  service.tasks().context()->events->log().Watch(
      request.after(), [reply = std::move(reply)](const v1::WatchResponse& response) mutable {
        std::move(reply).Ok(response);
      });
}

void PodList(Service& service, absl::string_view payload, Reply reply) {
  v1::ListRequest request;
  if (!Parse(payload, &request, reply)) return;
  v1::ListResponse response;
  for (const auto& [id, task] : service.tasks().all()) {
    if (!task->exists()) continue;
    v1::TaskInfo* const info = response.add_tasks();
    info->set_id(id);
    info->set_pid(static_cast<uint32_t>(task->init().pid));
    info->set_status(WireStatus(task->init().state));
    if (const auto& exit = task->init().exit; exit.has_value()) {
      info->mutable_exit()->set_exit_code(exit->exit_code);
      info->mutable_exit()->set_exited_at_ns(absl::ToUnixNanos(exit->exited_at));
      info->mutable_exit()->set_oom_killed(exit->oom_killed);
    }
  }
  std::move(reply).Ok(response);
}

void PodStats(Service& service, absl::string_view payload, Reply reply) {
  v1::AllStatsRequest request;
  if (!Parse(payload, &request, reply)) return;
  v1::AllStatsResponse response;
  for (const auto& [id, task] : service.tasks().all()) {
    // One that has just ended has none; the others count.
    const auto stats = task->Stats();
    if (!stats.ok()) continue;
    v1::TaskStats* const entry = response.add_tasks();
    entry->set_id(id);
    *entry->mutable_stats() = MetricsOf(*stats);
  }
  std::move(reply).Ok(response);
}

}  // namespace crisp::shim
