#include "cri/containers/stop_container.h"

#include <signal.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/side_by_side.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

// How long the kernel gets to end processes that were sent SIGKILL.
constexpr absl::Duration kKillTimeout = absl::Seconds(10);
constexpr absl::Duration kClaimTimeout = absl::Seconds(60);

absl::Status KillAndWait(const ContainerContext& context, TaskDriver* driver,
                         Container& container) {
  CRISP_RETURN_IF_ERROR(driver->Kill(container.id(), SIGKILL, /*all=*/true));
  CRISP_FAILPOINT("stop_container/killed");
  if (container.AwaitExit(kKillTimeout)) return absl::OkStatus();
  // The exit event may have been missed; the driver knows.
  const auto state = driver->State(container.id());
  if (state.ok() && state->status == TaskStatus::kStopped) {
    context.RecordExit(container, state->exit.exit_code, state->exit.exited_at_ns,
                       state->exit.oom_killed);
    return absl::OkStatus();
  }
  if (absl::IsNotFound(state.status())) {
    context.RecordExit(container, kLostExitCode, context.node->clock->NowNs(),
                       /*oom_killed=*/false, "Unknown");
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(absl::StrCat("container ", container.id(), " still runs ",
                                                  absl::FormatDuration(kKillTimeout),
                                                  " after SIGKILL"));
}

}  // namespace

absl::Status StopContainer(const ContainerContext& context, Container& container,
                           absl::Duration grace) {
  if (container.state() != runtime::v1::CONTAINER_RUNNING) {
    // Either it never ran and stays CREATED, or a start is under way: then it is
    // that start's result which has to stop.
    CRISP_RETURN_IF_ERROR(container.claim().ClaimFor("stop it", kClaimTimeout).status());
    if (container.state() != runtime::v1::CONTAINER_RUNNING) return absl::OkStatus();
  }
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                         context.node->handlers->Find(container.pod()->runtime_handler()));
  if (grace > absl::ZeroDuration()) {
    if (container.FirstStop()) {
      const int stop_signal =
          container.facts().Read([](const ContainerRecord& facts) { return facts.stop_signal(); });
      CRISP_FAILPOINT("stop_container/begun");
      CRISP_RETURN_IF_ERROR(driver->Kill(container.id(), stop_signal, /*all=*/false));
      CRISP_FAILPOINT("stop_container/signalled");
    }
    if (container.AwaitExit(grace)) return absl::OkStatus();
  }
  return KillAndWait(context, driver, container);
}

absl::Status StopContainersOf(const ContainerContext& context, Pod& pod) {
  CRISP_RETURN_IF_ERROR(
      pod.facts().Update([](PodRecord& facts) { facts.set_stop_requested(true); }));
  CRISP_FAILPOINT("stop_pod/intent recorded");
  context.containers->Close(pod.id());
  const std::vector<std::shared_ptr<Container>> containers = context.containers->OfPod(pod.id());
  std::vector<absl::Status> results(containers.size());
  SideBySide(containers.size(), containers.size(), [&](size_t i) {
    results[i] = StopContainer(context, *containers[i], absl::ZeroDuration());
  });
  for (const absl::Status& result : results) CRISP_RETURN_IF_ERROR(result);
  return absl::OkStatus();
}

}  // namespace crisp::cri
