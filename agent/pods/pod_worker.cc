#include "agent/pods/pod_worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/manifest/pod_reader.h"
#include "agent/pods/pod_worker_view.h"
#include "base/log.h"

namespace crisp::agent {
namespace {

// A pod that goes on changing lets others have their turn.
constexpr int kMaxSteps = 20;
constexpr absl::Duration kSoon = absl::Seconds(1);

// Only what the reader of manifests reads: the store's own fields are not the manifest's.
Json ManifestOf(const Json& object) {
  Json metadata = {{"name", TextAt(object, "metadata.name")},
                   {"namespace", TextAt(object, "metadata.namespace")}};
  for (const char* field : {"labels", "annotations"}) {
    const Json& map = At(object, absl::StrCat("metadata.", field));
    if (map.is_object()) metadata[field] = map;
  }
  return {
      {"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", At(object, "spec")}};
}

std::vector<ContainerRole> RolesOf(const std::vector<Container>& containers) {
  std::vector<ContainerRole> out;
  for (const Container& container : containers) {
    out.push_back({container.name, container.image, container.is_sidecar()});
  }
  return out;
}

// The container's part of the last status, or null.
const Json& StatusOf(const Json& status, const std::string& name) {
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    const Json& statuses = At(status, list);
    if (!statuses.is_array()) continue;
    for (const Json& one : statuses) {
      if (TextAt(one, "name") == name) return one;
    }
  }
  static const Json* const kNull = new Json();
  return *kNull;
}

}  // namespace

std::string SignatureOf(const RuntimePod& pod) {
  std::vector<std::string> parts;
  for (const SandboxState& sandbox : pod.sandboxes) {
    parts.push_back(absl::StrCat(sandbox.id, sandbox.ready ? "+" : "-"));
  }
  for (const ContainerState& container : pod.containers) {
    parts.push_back(absl::StrCat(container.id, "=", static_cast<int>(container.phase)));
  }
  std::sort(parts.begin(), parts.end());
  return absl::StrJoin(parts, ",");
}

PodWorker::PodWorker(const PodServices* services, std::string uid)
    : s_(*services), uid_(std::move(uid)), starter_(services) {}

PodInstances PodWorker::Instances() const {
  absl::MutexLock lock(&mu_);
  return instances_;
}

void PodWorker::ObjectsChanged() {
  absl::MutexLock lock(&mu_);
  objects_changed_ = true;
  for (auto& [name, memory] : memory_) {
    if (memory.config_error) memory.retry_at = absl::InfinitePast();
  }
}

bool PodWorker::Parse(const ObjectPtr& object, const RuntimePod& observed,
                      const RuntimeTraits& traits) {
  if (object == nullptr) {
    // Nobody knows its spec any more; enough to end what runs.
    Pod spec;
    spec.name = observed.name;
    spec.ns = observed.ns;
    const Json stub = {{"apiVersion", "v1"},
                       {"kind", "Pod"},
                       {"metadata", {{"name", spec.name}, {"namespace", spec.ns}, {"uid", uid_}}}};
    pod_ = PodContext{std::make_shared<const Json>(stub), uid_, spec,
                      PodFiles(s_.options.pod_root, s_.options.log_root, spec.ns, spec.name, uid_),
                      traits};
    return true;
  }
  const int64_t generation = NumberAt(*object, "metadata.generation");
  if (!parsed_from_object_) status_ = At(*object, "status");
  // Labels and annotations change without a new generation; the next container sees them.
  const auto changed = [&](const char* path) {
    return At(*pod_->object, path) != At(*object, path);
  };
  if (!parsed_from_object_ || generation != parsed_generation_ || changed("metadata.labels") ||
      changed("metadata.annotations")) {
    absl::StatusOr<Pod> spec = ReadPod(ManifestOf(*object));
    if (!spec.ok()) {
      s_.events->Record(*object, EventType::kWarning, "FailedValidation",
                        absl::StrCat("Error validating pod: ", spec.status().message()));
      if (!IsBeingDeleted(*object)) return false;
      spec = Pod();
      spec->name = TextAt(*object, "metadata.name");
      spec->ns = TextAt(*object, "metadata.namespace");
    }
    PodFiles files(s_.options.pod_root, s_.options.log_root, spec->ns, spec->name, uid_);
    pod_ = PodContext{object, uid_, *std::move(spec), std::move(files), traits};
    parsed_generation_ = generation;
    parsed_from_object_ = true;
  }
  pod_->object = object;
  pod_->traits = traits;
  return true;
}

PodWorker::Outcome PodWorker::Sync(const ObjectPtr& object, bool removed,
                                   const RuntimeTraits& traits) {
  Outcome outcome;
  for (int step = 0; step < kMaxSteps && !s_.stop->HasBeenNotified(); ++step) {
    absl::StatusOr<RuntimePod> observed = s_.runtime->GetPod(uid_);
    if (!observed.ok()) {
      outcome.runtime = observed.status();
      return outcome;
    }
    outcome.signature = SignatureOf(*observed);
    if (!Parse(object, *observed, traits)) return outcome;
    View view(*std::move(observed), status_);
    view.deleted = removed || object == nullptr || IsBeingDeleted(*object);
    Look(&view);
    const bool was_over = IsTerminalPhase(status_);
    WriteStatus(view);
    const bool just_over = !was_over && IsTerminalPhase(status_);
    Publish(view);
    TellBackOff(view);
    if (view.plan.gone) {
      const absl::Status finished = Finish(view);
      outcome.gone = finished.ok();
      if (finished.ok()) return outcome;
      LogWarn("a pod that ended could not be put away",
              {{"pod", view.input.full_name}, {"error", finished}});
      outcome.wake_at = s_.clock->Now() + kSoon;
      return outcome;
    }
    ReleaseUserNamespace(view);
    outcome.wake_at = std::min(view.plan.wake_at, view.deadline_at);
    UpdateMetadata(view, &outcome);
    // What the phase forbids by now is decided anew.
    if (!just_over && !Act(view, &outcome)) return outcome;
  }
  outcome.wake_at = s_.clock->Now();
  return outcome;
}

void PodWorker::Look(View* view) {
  const Pod& spec = pod_->spec;
  SyncInput& in = view->input;
  in.init = RolesOf(spec.init_containers);
  in.main = RolesOf(spec.containers);
  in.restart_policy = spec.restart_policy;
  in.full_name = absl::StrCat(spec.name, "_", spec.ns, "(", uid_, ")");
  in.observed = &view->observed;
  in.history = &view->history;
  in.now = s_.clock->Now();
  in.back_off = s_.back_off;
  in.killing = s_.killer->Killing(uid_);
  {
    absl::MutexLock lock(&mu_);
    if (objects_changed_) sandbox_retry_at_ = absl::InfinitePast();
    objects_changed_ = false;
  }
  in.sandbox_retry_at = sandbox_retry_at_;
  CheckDeadline(view);
  in.ending = view->deleted || view->failed.has_value() || IsTerminalPhase(status_);
  in.remove = view->deleted;
  in.grace = GraceLeft(*view);

  for (const Container& container : spec.init_containers) LookAtContainer(view, container, true);
  for (const Container& container : spec.containers) LookAtContainer(view, container, false);
  s_.probes->KeepOnly(uid_, view->probed);
  ReadLastWords(*view);
  view->plan = DecideNext(in);
}

void PodWorker::LookAtContainer(View* view, const Container& container, bool init) {
  ContainerProgress progress = s_.images->Progress(uid_, container.name, container.image);
  const ContainerState* newest = view->history.Newest(container.name);
  const bool runs =
      newest != nullptr && !newest->lost && newest->phase == ContainerState::Phase::kRunning;
  {
    absl::MutexLock lock(&mu_);
    Memory& memory = memory_[container.name];
    if (memory.image != container.image) {
      memory.image = container.image;
      memory.waiting.reset();
      memory.retry_at = absl::InfinitePast();
      memory.delay = absl::ZeroDuration();
    }
    progress.replaced = memory.replaced;
    if (memory.waiting.has_value() && !progress.waiting.has_value()) {
      progress.waiting = memory.waiting;
      progress.retry_at = memory.retry_at;
    }
    if (runs && memory.hook_runs_for == newest->id) progress.busy = true;
    if (runs && memory.hook_failed_for == newest->id) {
      progress.unhealthy = ContainerProgress::Unhealthy{"FailedPostStartHook", std::nullopt};
    }
  }
  const bool probes = container.liveness || container.readiness || container.startup;
  if (container.readiness.has_value()) view->ready[container.name] = false;
  if (container.startup.has_value()) progress.started = false;
  if (probes && runs && !progress.busy && !view->input.ending) {
    ProbedContainer probed;
    probed.pod = pod_->object;
    probed.pod_uid = uid_;
    probed.init = init;
    probed.target = TargetOf(*view, container, newest->id);
    probed.liveness = container.liveness;
    probed.readiness = container.readiness;
    probed.startup = container.startup;
    probed.started_at = newest->started_at;
    // Said of this very container, by an agent before this one.
    const Json& before = StatusOf(status_, container.name);
    if (TextAt(before, "containerID") == absl::StrCat(pod_->traits.name, "://", newest->id)) {
      probed.assume_started = TruthAt(before, "started");
      probed.assume_ready = TruthAt(before, "ready");
    }
    const ProbeVerdict verdict = s_.probes->Watch(probed);
    view->probed.insert(newest->id);
    progress.started = verdict.started;
    if (container.readiness.has_value()) view->ready[container.name] = verdict.ready;
    if (verdict.unhealthy.has_value() && !progress.unhealthy.has_value()) {
      progress.unhealthy =
          ContainerProgress::Unhealthy{verdict.unhealthy->message, verdict.unhealthy->grace};
    }
  }
  view->input.progress[container.name] = std::move(progress);
}

ProbeTarget PodWorker::TargetOf(const View& view, const Container& container,
                                const std::string& id) const {
  ProbeTarget out;
  out.container_id = id;
  out.container_name = container.name;
  out.ports = container.ports;
  if (const SandboxState* sandbox = view.observed.ReadySandbox(); sandbox != nullptr) {
    const auto addresses = PodAddresses(pod_->spec, *sandbox, s_.options.node.ip);
    if (!addresses.empty()) out.address = addresses[0];
  }
  return out;
}

absl::Duration PodWorker::GraceLeft(const View& view) {
  const Json& object = *pod_->object;
  const absl::Duration grace = absl::Seconds(
      std::max<int64_t>(view.deleted ? NumberAt(object, "metadata.deletionGracePeriodSeconds",
                                                pod_->spec.termination_grace_period_seconds)
                                     : pod_->spec.termination_grace_period_seconds,
                        0));
  if (!view.input.ending) {
    ending_since_.reset();
    return grace;
  }
  if (!ending_since_.has_value()) ending_since_ = s_.clock->Steady();
  absl::Duration left = *ending_since_ + grace - s_.clock->Steady();
  // An agent before this one may have used up a part of it.
  const absl::Time until = ParseTimestamp(At(object, "metadata.deletionTimestamp"));
  if (view.deleted && until > s_.clock->Now()) left = std::min(left, until - s_.clock->Now());
  // Those that are stopped last get a moment all the same.
  return grace == absl::ZeroDuration() ? grace : std::max(left, kLeastGrace);
}

void PodWorker::CheckDeadline(View* view) {
  if (!pod_->spec.active_deadline_seconds.has_value() || view->deleted ||
      IsTerminalPhase(status_)) {
    return;
  }
  const absl::Time started = ParseTimestamp(At(status_, "startTime"));
  if (started == absl::InfinitePast()) return;
  const absl::Time deadline = started + absl::Seconds(*pod_->spec.active_deadline_seconds);
  if (view->input.now < deadline) {
    view->deadline_at = deadline;
    return;
  }
  view->failed =
      Waiting{"DeadlineExceeded", "Pod was active on the node longer than the specified deadline"};
  s_.events->Record(*pod_->object, EventType::kNormal, view->failed->reason, view->failed->message);
}

const Container* PodWorker::Find(const std::string& name, bool* init) const {
  for (const bool which : {true, false}) {
    *init = which;
    for (const Container& one : which ? pod_->spec.init_containers : pod_->spec.containers) {
      if (one.name == name) return &one;
    }
  }
  return nullptr;
}

}  // namespace crisp::agent
