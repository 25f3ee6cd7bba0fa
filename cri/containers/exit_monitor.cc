#include "cri/containers/exit_monitor.h"

#include <memory>

#include "base/failpoint.h"
#include "base/log.h"
#include "cri/pods/stop_pod.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;

constexpr absl::Duration kClaimTimeout = absl::Minutes(2);

void DeleteTask(const ContainerContext& context, Container& container) {
  CRISP_FAILPOINT("container_exit/recorded");
  const auto claim = container.claim().ClaimFor("tidy up after it", kClaimTimeout);
  absl::Status deleted = claim.status();
  // A container that was removed meanwhile has no task left to delete.
  if (claim.ok()) {
    const auto driver = context.node->handlers->Find(container.pod()->runtime_handler());
    deleted = driver.ok() ? (*driver)->Delete(container.id()) : driver.status();
    CRISP_FAILPOINT("container_exit/task deleted");
  }
  if (!deleted.ok()) {
    LogWarn("cannot delete the task of a container that ended; its removal will",
            {{"container", container.id()}, {"error", deleted}});
  }
}

void RecordContainerExit(const ContainerContext& context,
                         const std::shared_ptr<Container>& container, const TaskExit& exit) {
  // A task that was made and never ran goes back to CREATED on recovery, and to
  // EXITED by a failed start; either way it is not this exit that counts.
  const bool ran =
      container->facts().Read([](const ContainerRecord& facts) { return facts.start_attempted(); });
  if (!ran) return;
  CRISP_FAILPOINT("container_exit/known");
  context.RecordExit(*container, exit.exit_code, exit.exited_at_ns, exit.oom_killed,
                     exit.lost ? "Unknown" : "");
  LogInfo("container ended", {{"container", container->id()},
                              {"name", container->config().metadata().name()},
                              {"exit_code", exit.exit_code},
                              {"oom_killed", exit.oom_killed}});
  context.tidy->Post([&context, container] { DeleteTask(context, *container); });
}

}  // namespace

void ExitMonitor::OnExit(const std::string& id, const TaskExit& exit) {
  if (const auto container = context_->containers->Find(id); container.ok()) {
    RecordContainerExit(*context_, *container, exit);
  } else if (const auto pod = context_->node->pods->Find(id); pod.ok()) {
    RecordPodExit(*context_->node, **pod);
    LogInfo("pause process ended", {{"sandbox", id}, {"exit_code", exit.exit_code}});
  }
}

}  // namespace crisp::cri
