#include "agent/pods/pod_sync.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace crisp::agent {
namespace {

using Phase = ContainerState::Phase;

class Decision {
 public:
  explicit Decision(const SyncInput& input) : in_(input) {}

  SyncPlan Make() {
    if (in_.ending) {
      End();
      return std::move(plan_);
    }
    if (const SandboxState* sandbox = in_.observed->ReadySandbox(); sandbox != nullptr) {
      sandbox_id_ = sandbox->id;
      if (InitContainers()) MainContainers();
      Tidy();
    } else {
      Sandbox();
    }
    return std::move(plan_);
  }

 private:
  const ContainerProgress& ProgressOf(const std::string& name) const {
    static const ContainerProgress* const kNone = new ContainerProgress();
    const auto found = in_.progress.find(name);
    return found == in_.progress.end() ? *kNone : found->second;
  }

  // True if a container of that role is to run again after `ended`; null: was never there.
  bool Restarts(const ContainerRole& role, const ContainerState* ended) const {
    if (ended != nullptr && ended->id == ProgressOf(role.name).replaced) return true;
    if (role.sidecar || in_.restart_policy == "Always" || ended == nullptr) return true;
    if (ended->phase == Phase::kCreated) return true;  // It has not had its turn.
    return in_.restart_policy == "OnFailure" && ended->exit_code != 0;
  }

  void WakeAt(absl::Time time) { plan_.wake_at = std::min(plan_.wake_at, time); }

  // There is no sandbox that is ready.
  void Sandbox() {
    bool any_start = false;
    for (const ContainerRole& role : in_.main) {
      any_start = any_start || Restarts(role, in_.history->Newest(role.name));
    }
    // Whatever still lives in an older sandbox would live twice.
    for (const SandboxState& old : in_.observed->sandboxes) {
      const bool alive =
          std::any_of(in_.observed->containers.begin(), in_.observed->containers.end(),
                      [&](const ContainerState& c) { return c.sandbox_id == old.id && c.runs(); });
      if (old.ready || alive) plan_.stop_sandboxes.push_back(old.id);
    }
    if (!any_start) return;
    plan_.sandbox_changed = !in_.observed->sandboxes.empty();
    if (!plan_.stop_sandboxes.empty()) return;
    if (in_.sandbox_retry_at > in_.now) return WakeAt(in_.sandbox_retry_at);
    plan_.create_sandbox =
        in_.observed->sandboxes.empty() ? 0 : in_.observed->sandboxes[0].attempt + 1;
  }

  // A container that runs: is it to be killed? True if it is, or is being.
  bool Kill(const ContainerRole& role, const ContainerState& container) {
    if (in_.killing.count(container.id) > 0) return true;
    const ContainerProgress& progress = ProgressOf(container.name);
    if (DefinitionChanged(role, container)) {
      plan_.kill.push_back(
          {container.id, container.name,
           absl::StrCat("Container ", container.name, " definition changed, will be restarted"),
           in_.grace, /*replaced=*/true});
      return true;
    }
    if (!progress.unhealthy.has_value()) return false;
    std::string message = progress.unhealthy->message;
    if (in_.restart_policy != "Never") absl::StrAppend(&message, ", will be restarted");
    plan_.kill.push_back({container.id, container.name, std::move(message),
                          progress.unhealthy->grace.value_or(in_.grace)});
    return true;
  }

  // Starts `role` now or when its turn comes.
  void Start(const ContainerRole& role, bool init, const ContainerState* newest) {
    const std::string& name = role.name;
    const ContainerProgress& progress = ProgressOf(name);
    if (progress.waiting.has_value()) plan_.waiting[name] = *progress.waiting;
    WakeAt(progress.look_again_at);
    if (progress.busy) return;
    if (progress.retry_at > in_.now) return WakeAt(progress.retry_at);
    StartAction start;
    start.name = name;
    start.init = init;
    if (newest != nullptr && newest->phase == Phase::kCreated) {
      start.restart_count = newest->restart_count;
      start.next_back_off = newest->next_back_off;
      start.replaces = newest->id;
    } else if (newest != nullptr) {
      // What failed before says nothing about another definition.
      const NextStart next = DefinitionChanged(role, *newest) ? AfterEnd(nullptr, in_.back_off)
                                                              : AfterEnd(newest, in_.back_off);
      // One that ended in the future tells of a clock that was set back, not of a wait.
      if (next.at > in_.now && next.at - next.delay <= in_.now) {
        plan_.waiting[name] = {"CrashLoopBackOff", absl::StrCat("back-off ", GoDuration(next.delay),
                                                                " restarting failed container=",
                                                                name, " pod=", in_.full_name)};
        return WakeAt(next.at);
      }
      start.restart_count = newest->restart_count + 1;
      start.next_back_off = next.next_back_off;
    }
    plan_.start.push_back(std::move(start));
  }

  // True once the others may start.
  bool InitContainers() {
    const bool initialized =
        std::any_of(in_.main.begin(), in_.main.end(), [&](const ContainerRole& role) {
          return in_.history->NewestIn(role.name, sandbox_id_) != nullptr;
        });
    bool blocked = false;
    for (const ContainerRole& role : in_.init) {
      const ContainerState* here = in_.history->NewestIn(role.name, sandbox_id_);
      if (role.sidecar) {
        if (here != nullptr && here->runs()) {
          if (Kill(role, *here) || ProgressOf(role.name).busy || !ProgressOf(role.name).started) {
            blocked = true;
          }
        } else if (!blocked || here != nullptr) {
          // One that had its turn is kept alive, whatever the others do. When all is
          // over the pod is, and nobody asks for it any more.
          Start(role, true, in_.history->Newest(role.name));
          blocked = true;
        }
        continue;
      }
      if (initialized || blocked) continue;
      if (here != nullptr && here->runs()) {
        blocked = true;
        // One that is at work when its definition changes ends by itself, as in Kubernetes.
        if (!DefinitionChanged(role, *here)) Kill(role, *here);
      } else if (here == nullptr || here->phase == Phase::kCreated) {
        Start(role, true, in_.history->Newest(role.name));
        blocked = true;
      } else if (here->exit_code != 0) {
        blocked = true;
        if (in_.restart_policy == "Never") return false;  // The pod has failed.
        Start(role, true, here);
      }
    }
    return initialized || !blocked;
  }

  void MainContainers() {
    for (const ContainerRole& role : in_.main) {
      const ContainerState* newest = in_.history->Newest(role.name);
      if (newest != nullptr && newest->runs()) {
        Kill(role, *newest);
      } else if (Restarts(role, newest)) {
        Start(role, false, newest);
      }
    }
  }

  // What a newer sandbox or container has taken the place of. One ended container of
  // each name stays, for its log and its last state.
  void Tidy() {
    for (size_t i = 1; i < in_.observed->sandboxes.size(); ++i) {
      const SandboxState& old = in_.observed->sandboxes[i];
      (old.ready ? plan_.stop_sandboxes : plan_.remove_sandboxes).push_back(old.id);
    }
    for (const auto& [name, instances] : in_.history->by_name()) {
      size_t kept = 0;
      for (const ContainerState& container : instances) {
        if (container.lost) continue;
        if (++kept <= 2 || container.phase != Phase::kExited) continue;
        plan_.remove_containers.push_back(container.id);
      }
    }
  }

  void KillAtEnd(const ContainerState& container) {
    plan_.kill.push_back({container.id, container.name,
                          absl::StrCat("Stopping container ", container.name), in_.grace});
  }

  void End() {
    bool any = false;
    for (const ContainerState& container : in_.observed->containers) {
      const bool sidecar = std::any_of(
          in_.init.begin(), in_.init.end(),
          [&](const ContainerRole& role) { return role.sidecar && role.name == container.name; });
      if (sidecar || !container.runs()) continue;
      KillAtEnd(container);
      any = true;
    }
    if (any) return;
    for (auto role = in_.init.rbegin(); role != in_.init.rend(); ++role) {
      for (const ContainerState& container : in_.observed->containers) {
        if (container.name != role->name || !container.runs()) continue;
        KillAtEnd(container);
        any = true;
      }
      if (any) return;
    }
    for (const SandboxState& sandbox : in_.observed->sandboxes) {
      if (sandbox.ready) plan_.stop_sandboxes.push_back(sandbox.id);
    }
    if (!plan_.stop_sandboxes.empty() || !in_.remove) return;
    for (const SandboxState& sandbox : in_.observed->sandboxes) {
      plan_.remove_sandboxes.push_back(sandbox.id);
    }
    plan_.gone = in_.observed->sandboxes.empty();
  }

  const SyncInput& in_;
  SyncPlan plan_;
  std::string sandbox_id_;
};

}  // namespace

bool DefinitionChanged(const ContainerRole& role, const ContainerState& container) {
  return !container.made_of.empty() && container.made_of != role.image;
}

SyncPlan DecideNext(const SyncInput& input) { return Decision(input).Make(); }

}  // namespace crisp::agent
