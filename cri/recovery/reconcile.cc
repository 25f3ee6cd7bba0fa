#include "cri/recovery/reconcile.h"

#include "base/log.h"
#include "base/status_macros.h"
#include "cri/containers/start_container.h"
#include "cri/pods/stop_pod.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

// How long the output of a container that ended meanwhile may take to reach its log.
constexpr absl::Duration kDrainTimeout = absl::Seconds(5);

void RecordLost(const ContainerContext& context, Container& container) {
  container.RecordExit(kLostExitCode, context.node->clock->NowNs(), /*oom_killed=*/false, "Unknown",
                       "the container ended while nobody was watching");
}

// The crash came between the driver's Create and its Start: the container can be
// started anew.
absl::Status ReturnToCreated(TaskDriver* driver, Container& container) {
  CRISP_RETURN_IF_ERROR(driver->Delete(container.id()));
  return container.facts().Update([](ContainerRecord& facts) {
    facts.set_task_attempted(false);
    facts.set_start_attempted(false);
    facts.set_pid(0);
  });
}

absl::Status TakeUp(const ContainerContext& context, TaskDriver* driver, Container& container,
                    const TaskState& state) {
  const int64_t now = context.node->clock->NowNs();
  CRISP_RETURN_IF_ERROR(container.facts().Update([&](ContainerRecord& facts) {
    facts.set_start_attempted(true);
    if (facts.started_at() == 0) facts.set_started_at(now);
    if (state.pid != 0) facts.set_pid(state.pid);
  }));
  // Its exit, also one that has happened already, comes to the exit monitor once
  // the output is in the log.
  CRISP_RETURN_IF_ERROR(driver->Adopt(TaskOf(container)));
  if (state.status == TaskStatus::kStopped && !container.AwaitExit(kDrainTimeout)) {
    container.RecordExit(state.exit.exit_code, state.exit.exited_at_ns, state.exit.oom_killed);
  }
  return absl::OkStatus();
}

absl::Status FindOut(const ContainerContext& context, TaskDriver* driver, Container& container) {
  const absl::StatusOr<TaskState> state = driver->State(container.id());
  const bool start_attempted =
      container.facts().Read([](const ContainerRecord& facts) { return facts.start_attempted(); });
  if (absl::IsNotFound(state.status())) {
    if (!start_attempted) return ReturnToCreated(driver, container);
    RecordLost(context, container);
    return driver->Delete(container.id());
  }
  CRISP_RETURN_IF_ERROR(state.status());
  const bool never_ran = state->status == TaskStatus::kCreated ||
                         (state->status == TaskStatus::kStopped && !start_attempted);
  return never_ran ? ReturnToCreated(driver, container)
                   : TakeUp(context, driver, container, *state);
}

}  // namespace

void ReconcilePod(const ContainerContext& context, Pod& pod, bool earlier_boot) {
  const PodRecord facts = pod.facts().Get();
  if (!facts.started() || facts.exited_at() != 0) return;
  if (earlier_boot) {
    RecordPodExit(*context.node, pod);
    return;
  }
  const auto driver = context.node->handlers->Find(pod.runtime_handler());
  absl::Status found = driver.status();
  if (driver.ok()) {
    const absl::StatusOr<TaskState> state = (*driver)->State(pod.id());
    found = state.status();
    if (absl::IsNotFound(found) || (state.ok() && state->status == TaskStatus::kStopped)) {
      RecordPodExit(*context.node, pod);
      return;
    }
    if (state.ok()) {
      TaskSpec task;
      task.id = pod.id();
      task.sandbox_id = pod.id();
      task.is_sandbox = true;
      task.cgroup_path = pod.cgroup_path();
      found = (*driver)->Adopt(task);
    }
  }
  if (!found.ok()) {
    LogError("cannot find out what became of a pod", {{"sandbox", pod.id()}, {"error", found}});
  }
}

void ReconcileContainer(const ContainerContext& context, Container& container, bool earlier_boot) {
  const ContainerRecord facts = container.facts().Get();
  if (!facts.created()) return;
  if (facts.finished_at() == 0 && !facts.task_attempted()) return;  // CREATED.
  if (earlier_boot) {
    if (facts.finished_at() == 0) RecordLost(context, container);
    return;
  }
  const auto driver = context.node->handlers->Find(container.pod()->runtime_handler());
  absl::Status found = driver.status();
  if (driver.ok()) {
    // Of a container that ended only the task may be left, to be deleted.
    found = facts.finished_at() != 0 ? (*driver)->Delete(container.id())
                                     : FindOut(context, *driver, container);
  }
  if (!found.ok()) {
    LogError("cannot find out what became of a container",
             {{"container", container.id()}, {"error", found}});
  }
}

}  // namespace crisp::cri
