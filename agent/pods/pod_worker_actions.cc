// The half of PodWorker that changes things.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/pods/lifecycle_hooks.h"
#include "agent/pods/pod_objects.h"
#include "agent/pods/pod_worker.h"
#include "agent/pods/pod_worker_view.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(1);
// A sandbox is tried again sooner than a container: more depends on it.
constexpr absl::Duration kFirstSandboxDelay = absl::Seconds(1);
// A postStart hook has no bound of its own.
constexpr absl::Duration kNoBound = absl::Hours(24);

}  // namespace

bool PodWorker::Act(const View& view, Outcome* outcome) {
  const SyncPlan& plan = view.plan;
  Kill(view);
  bool again = StopAndRemove(view, outcome);
  if (plan.create_sandbox.has_value()) again = StartSandbox(view) || again;
  for (const StartAction& action : plan.start) {
    if (s_.stop->HasBeenNotified()) return false;
    StartContainer(view, action);
    again = true;
  }
  return again;
}

void PodWorker::Kill(const View& view) {
  for (const KillAction& kill : view.plan.kill) {
    ContainerKiller::Request request;
    request.pod = pod_->object;
    request.pod_uid = uid_;
    request.grace = kill.grace;
    request.message = kill.message;
    bool init = false;
    if (const Container* container = Find(kill.name, &init); container != nullptr) {
      request.target = TargetOf(view, *container, kill.id);
      request.pre_stop = container->pre_stop;
    } else {
      request.target.container_id = kill.id;
      request.target.container_name = kill.name;
    }
    request.field_path = FieldPath(kill.name, init);
    if (kill.replaced) {
      absl::MutexLock lock(&mu_);
      memory_[kill.name].replaced = kill.id;
    }
    s_.killer->Kill(request);
  }
}

bool PodWorker::StopAndRemove(const View& view, Outcome* outcome) {
  const SyncPlan& plan = view.plan;
  bool again = false;
  const auto settle = [&](const absl::Status& status, const char* doing) {
    if (status.ok()) {
      again = true;
      return;
    }
    outcome->wake_at = std::min(outcome->wake_at, s_.clock->Now() + kSoon);
    if (absl::IsCancelled(status)) return;
    s_.events->Record(*pod_->object, EventType::kWarning, "FailedKillPod",
                      absl::StrCat("error killing pod: ", doing, ": ", status.message()));
  };
  for (const std::string& id : plan.stop_sandboxes) {
    settle(s_.runtime->StopPodSandbox(id), "stop sandbox");
  }
  for (const std::string& id : plan.remove_containers) {
    for (const ContainerState& container : view.observed.containers) {
      if (container.id != id) continue;
      const absl::Status removed = s_.runtime->RemoveContainer(id);
      settle(removed, "remove container");
      if (removed.ok()) pod_->files.RemoveContainer(container.name, container.restart_count);
    }
  }
  for (const std::string& id : plan.remove_sandboxes) {
    settle(s_.runtime->RemovePodSandbox(id), "remove sandbox");
  }
  return again;
}

bool PodWorker::StartSandbox(const View& view) {
  if (view.plan.sandbox_changed && !sandbox_change_told_) {
    sandbox_change_told_ = true;
    s_.events->Record(*pod_->object, EventType::kNormal, "SandboxChanged",
                      "Pod sandbox changed, it will be killed and re-created.");
  }
  const absl::Status status = starter_.StartSandbox(*pod_, *view.plan.create_sandbox);
  if (status.ok()) {
    sandbox_retry_at_ = absl::InfinitePast();
    sandbox_delay_ = absl::ZeroDuration();
    sandbox_change_told_ = false;
    return true;
  }
  BackOffOptions options = s_.back_off;
  options.base = std::min(options.base, kFirstSandboxDelay);
  sandbox_delay_ = Doubled(sandbox_delay_, options);
  sandbox_retry_at_ = s_.clock->Now() + sandbox_delay_;
  return true;
}

void PodWorker::StartContainer(const View& view, const StartAction& action) {
  bool init = false;
  const Container* container = Find(action.name, &init);
  const SandboxState* sandbox = view.observed.ReadySandbox();
  if (container == nullptr || sandbox == nullptr) return;
  ImagePuller::Request wanted;
  wanted.pod = pod_->object;
  wanted.pod_uid = uid_;
  wanted.container = container->name;
  wanted.field_path = FieldPath(container->name, init);
  wanted.image = container->image;
  wanted.policy = container->image_pull_policy;
  wanted.pull_secrets = pod_->spec.image_pull_secrets;
  wanted.sandbox_config = starter_.SandboxConfig(*pod_, sandbox->attempt);
  const std::optional<ImageFacts> image = s_.images->Take(wanted);
  if (!image.has_value()) return;

  PodStarter::Started started =
      starter_.StartContainer(*pod_, *container, action, *sandbox, *image);
  if (started.cancelled) return;
  {
    absl::MutexLock lock(&mu_);
    Memory& memory = memory_[container->name];
    memory.waiting = started.failed;
    memory.config_error = started.config_error;
    if (started.failed.has_value()) {
      // A configuration that is wrong is looked at as often, whatever it costs: somebody
      // is about to mend it.
      memory.delay = started.config_error ? s_.back_off.base : Doubled(memory.delay, s_.back_off);
      memory.retry_at = s_.clock->Now() + memory.delay;
      return;
    }
    memory.delay = absl::ZeroDuration();
    memory.retry_at = absl::InfinitePast();
    if (!container->post_start.has_value()) return;
    memory.hook_runs_for = started.id;
  }
  RunPostStart(view, *container, init, started.id);
}

void PodWorker::RunPostStart(const View& view, const Container& container, bool init,
                             const std::string& id) {
  s_.hooks->Post([this, self = shared_from_this(), pod = pod_->object, hook = *container.post_start,
                  target = TargetOf(view, container, id), name = container.name, init, id] {
    const absl::Status status = RunHook(*s_.runtime, hook, target, kNoBound, *s_.stop);
    if (s_.stop->HasBeenNotified()) return;
    if (!status.ok()) {
      s_.events->Record(*pod, EventType::kWarning, "FailedPostStartHook",
                        absl::StrCat("PostStartHook failed: ", status.message()),
                        FieldPath(name, init));
    }
    {
      absl::MutexLock lock(&mu_);
      Memory& memory = memory_[name];
      if (memory.hook_runs_for == id) memory.hook_runs_for.clear();
      if (!status.ok()) memory.hook_failed_for = id;
    }
    s_.wake(uid_);
  });
}

void PodWorker::UpdateMetadata(const View& view, Outcome* outcome) {
  const SandboxState* sandbox = view.observed.ReadySandbox();
  if (sandbox == nullptr || view.input.ending || !pod_->traits.has_volumes ||
      !TellsOfMetadata(pod_->spec)) {
    return;
  }
  const Pod& spec = pod_->spec;
  // Told once by each agent: the one before may have died before it did.
  const std::string now = ToText(Json::array({sandbox->id, spec.labels, spec.annotations}));
  if (now == metadata_told_) return;
  const absl::Status status = s_.runtime->UpdatePod(sandbox->id, spec.labels, spec.annotations);
  // A runtime that cannot do it is not asked again.
  if (status.ok() || absl::IsUnimplemented(status)) {
    metadata_told_ = now;
    return;
  }
  outcome->wake_at = std::min(outcome->wake_at, s_.clock->Now() + kSoon);
  if (absl::IsCancelled(status)) return;
  LogWarn("a pod's volumes do not tell of its labels and annotations",
          {{"pod", view.input.full_name}, {"error", status}});
}

void PodWorker::ReleaseUserNamespace(const View& view) {
  if (!IsTerminalPhase(status_)) return;
  for (const SandboxState& sandbox : view.observed.sandboxes) {
    if (sandbox.ready) return;
  }
  for (const ContainerState& container : view.observed.containers) {
    if (container.runs()) return;
  }
  const absl::Status released = s_.user_namespaces->Release(uid_);
  if (released.ok()) return;
  LogWarn("a pod that ended keeps its user namespace",
          {{"pod", view.input.full_name}, {"error", released}});
}

absl::Status PodWorker::Finish(const View& view) {
  CRISP_RETURN_IF_ERROR(Annotate(pod_->files.RemoveAll(), "remove the pod's files"));
  CRISP_RETURN_IF_ERROR(s_.user_namespaces->Release(uid_));
  s_.images->Forget(uid_);
  s_.killer->Forget(uid_);
  s_.probes->KeepOnly(uid_, {});
  const absl::Status removed = s_.store->Remove(KeyOf(*pod_->object), uid_);
  // Aborted: another pod has the name by now.
  if (absl::IsNotFound(removed) || absl::IsAborted(removed)) return absl::OkStatus();
  return removed;
}

}  // namespace crisp::agent
