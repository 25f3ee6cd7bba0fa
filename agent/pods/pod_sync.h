// What is to be done next for a pod: its spec and what is true of it, to actions.
//
// A pure function, called again after every change. It never does two things that
// depend on each other in one step, so whoever carries the plan out may die at any
// point: the next one decides from what is there.
//
// Order: sandbox; init containers one after the other, where one that restarts always
// (a sidecar) need only have started; then all others. At the end all others are
// stopped, then the sidecars from the last to the first, then the sandbox.
#ifndef CRISP_AGENT_PODS_POD_SYNC_H_
#define CRISP_AGENT_PODS_POD_SYNC_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/pods/back_off.h"
#include "agent/pods/container_history.h"
#include "agent/runtime/pod_state.h"

namespace crisp::agent {

// A container of the spec, as far as decision and status need it.
struct ContainerRole {
  std::string name;
  std::string image;
  bool sidecar = false;  // An init container with restartPolicy Always.
};

struct Waiting {
  std::string reason, message;
};

// What the agent knows of a container besides what the runtime says.
struct ContainerProgress {
  bool busy = false;               // Its image is on the way, or its postStart hook runs.
  std::optional<Waiting> waiting;  // Why it could not be started; stands until retry_at.
  absl::Time retry_at = absl::InfinitePast();
  absl::Time look_again_at = absl::InfiniteFuture();  // `waiting` becomes another then.
  bool started = true;  // Its startup probe, if it has one, has succeeded.
  struct Unhealthy {
    std::string message;  // "Container web failed liveness probe"
    std::optional<absl::Duration> grace;
  };
  std::optional<Unhealthy> unhealthy;  // A probe or a hook says: kill it.
  std::string replaced;  // Id of the container that is killed because its definition changed.
};

struct SyncInput {
  std::vector<ContainerRole> init, main;
  std::string restart_policy = "Always";
  std::string full_name;  // "web_default(<uid>)"
  const RuntimePod* observed = nullptr;
  const ContainerHistory* history = nullptr;
  std::map<std::string, ContainerProgress> progress;
  std::set<std::string> killing;  // Ids of containers that are being stopped.

  bool ending = false;  // Deleted, failed as a whole, or complete: nothing starts.
  bool remove = false;  // And nothing of it stays.
  absl::Duration grace = absl::Seconds(30);

  absl::Time sandbox_retry_at = absl::InfinitePast();
  absl::Time now;
  BackOffOptions back_off;
};

struct KillAction {
  std::string id, name;
  std::string message;  // Of the event Killing.
  absl::Duration grace;
  bool replaced = false;  // Its definition changed: another one follows, whatever the policy.
};

struct StartAction {
  std::string name;
  bool init = false;
  int restart_count = 0;
  absl::Duration next_back_off = absl::ZeroDuration();
  std::string replaces;  // A container that was created and never started; empty if none.
};

struct SyncPlan {
  std::vector<KillAction> kill;
  std::vector<std::string> stop_sandboxes;
  std::vector<std::string> remove_containers;  // Older than what is kept for `logs --previous`.
  std::vector<std::string> remove_sandboxes;
  std::optional<uint32_t> create_sandbox;  // The attempt.
  bool sandbox_changed = false;            // There was one, and it is no good any more.
  std::vector<StartAction> start;
  bool gone = false;  // With `remove`: nothing is left.

  // Why a container does not run that should; shown in its state.
  std::map<std::string, Waiting> waiting;
  // When the answer may be another one without anything happening.
  absl::Time wake_at = absl::InfiniteFuture();

  bool HasActions() const {
    return !kill.empty() || !stop_sandboxes.empty() || !remove_containers.empty() ||
           !remove_sandboxes.empty() || create_sandbox.has_value() || !start.empty();
  }
};

// True if the container's definition is another one than what it was made from.
bool DefinitionChanged(const ContainerRole& role, const ContainerState& container);

SyncPlan DecideNext(const SyncInput& input);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_SYNC_H_
