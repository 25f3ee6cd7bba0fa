// crisp.shim.v1: Watch, List, Stats: a pod's tasks as crispd sees them.
#include <utility>

#include "absl/time/time.h"
#include "api/shim/v1/shim.pb.h"
#include "shim/service/methods.h"
#include "shim/service/metrics.h"

namespace crisp::shim {
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
