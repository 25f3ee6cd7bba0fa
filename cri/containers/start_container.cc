#include "cri/containers/start_container.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cri/containers/container_rootfs.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

constexpr absl::Duration kClaimTimeout = absl::Seconds(30);
constexpr int kStartErrorExitCode = 128;

absl::Status CheckStartable(const Container& container) {
  if (const auto state = container.state(); state != runtime::v1::CONTAINER_CREATED) {
    return absl::FailedPreconditionError(absl::StrCat("container ", container.id(), " is in state ",
                                                      runtime::v1::ContainerState_Name(state),
                                                      ", not CONTAINER_CREATED"));
  }
  const bool stopping =
      container.pod()->facts().Read([](const PodRecord& facts) { return facts.stop_requested(); });
  if (stopping || !container.pod()->ready()) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod sandbox ", container.pod()->id(), " is not ready"));
  }
  return absl::OkStatus();
}

absl::Status Launch(const ContainerContext& context, TaskDriver* driver, Container& container) {
  TaskSpec task = TaskOf(container);
  task.spec_json =
      container.facts().Read([](const ContainerRecord& facts) { return facts.spec_json(); });
  CRISP_ASSIGN_OR_RETURN(task.rootfs, RootfsMounts(context, container));
  CRISP_RETURN_IF_ERROR(
      container.facts().Update([](ContainerRecord& facts) { facts.set_task_attempted(true); }));
  CRISP_FAILPOINT("start_container/intent recorded");
  CRISP_ASSIGN_OR_RETURN(const uint32_t pid, driver->Create(task));
  CRISP_FAILPOINT("start_container/task made");
  CRISP_RETURN_IF_ERROR(container.facts().Update([pid](ContainerRecord& facts) {
    facts.set_pid(pid);
    facts.set_start_attempted(true);
  }));
  CRISP_FAILPOINT("start_container/start recorded");
  CRISP_RETURN_IF_ERROR(driver->Start(container.id()));
  CRISP_FAILPOINT("start_container/started");
  return absl::OkStatus();
}

}  // namespace

TaskSpec TaskOf(const Container& container) {
  const ContainerRecord facts = container.facts().Get();
  TaskSpec task;
  task.id = container.id();
  task.sandbox_id = container.pod()->id();
  task.snapshot_key = facts.snapshot_key();
  task.image_name = facts.image_ref();
  task.labels.insert(container.config().labels().begin(), container.config().labels().end());
  task.cgroup_path = facts.cgroup_path();
  if (!facts.log_path().empty()) {
    task.log_directory = container.pod()->config().log_directory();
    task.log_path = container.config().log_path();
  }
  task.tty = container.config().tty();
  task.stdin = container.config().stdin();
  task.stdin_once = container.config().stdin_once();
  return task;
}

absl::Status StartContainer(const ContainerContext& context, Container& container) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, container.claim().ClaimFor("start it", kClaimTimeout));
  CRISP_RETURN_IF_ERROR(CheckStartable(container));
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                         context.node->handlers->Find(container.pod()->runtime_handler()));
  container.BeginStart();
  const absl::Cleanup tell_end = [&] {
    if (container.EndStart()) context.Tell(runtime::v1::CONTAINER_STOPPED_EVENT, container);
  };
  if (const absl::Status launched = Launch(context, driver, container); !launched.ok()) {
    // Recorded first: deleting the task ends it, and the first cause of an end wins.
    context.RecordExit(container, kStartErrorExitCode, context.node->clock->NowNs(),
                       /*oom_killed=*/false, "StartError", std::string(launched.message()));
    if (const absl::Status deleted = driver->Delete(container.id()); !deleted.ok()) {
      LogWarn("the task of a container that did not start is still there",
              {{"container", container.id()}, {"error", deleted}});
    }
    return Annotate(launched, "start container ", container.config().metadata().name());
  }
  const int64_t now = context.node->clock->NowNs();
  CRISP_RETURN_IF_ERROR(container.facts().Update([now](ContainerRecord& facts) {
    // A short-lived container may have ended, and been recorded, by now.
    facts.set_started_at(facts.finished_at() != 0 ? std::min(now, facts.finished_at()) : now);
  }));
  CRISP_FAILPOINT("start_container/recorded");
  context.Tell(runtime::v1::CONTAINER_STARTED_EVENT, container);
  return absl::OkStatus();
}

}  // namespace crisp::cri
