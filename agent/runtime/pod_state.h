// A pod as the runtime has it: its sandboxes and containers, those that ended too.
//
// Values: plain data, a snapshot; no CRI message is needed to read it.
#ifndef CRISP_AGENT_RUNTIME_POD_STATE_H_
#define CRISP_AGENT_RUNTIME_POD_STATE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace crisp::agent {

struct SandboxState {
  std::string id;
  uint32_t attempt = 0;
  bool ready = false;
  absl::Time created_at = absl::InfinitePast();
  std::vector<std::string> ips;  // Empty in the host's network.
};

struct ContainerState {
  enum class Phase { kCreated, kRunning, kExited, kUnknown };

  std::string id, name, sandbox_id;
  int restart_count = 0;  // 0 for the first of its name.
  Phase phase = Phase::kCreated;
  // InfinitePast: has not happened, or nobody knows.
  absl::Time created_at = absl::InfinitePast();
  absl::Time started_at = absl::InfinitePast();
  absl::Time finished_at = absl::InfinitePast();
  int exit_code = 0;
  std::string reason, message;
  std::string image, image_id;
  std::string log_path;
  // The image in its definition when it was made, as it stood there; empty if nobody knows.
  std::string made_of;
  // What to wait before the next start if this one does not run for long.
  absl::Duration next_back_off = absl::ZeroDuration();
  // Known from the pod's status alone: the runtime has it no more.
  bool lost = false;

  // Unknown counts as running: it must be stopped before another one takes its place.
  bool runs() const { return !lost && (phase == Phase::kRunning || phase == Phase::kUnknown); }
};

struct RuntimePod {
  std::string uid, ns, name;
  bool ours = false;                       // A sandbox of it was made by this agent.
  std::vector<SandboxState> sandboxes;     // The newest first.
  std::vector<ContainerState> containers;  // In no particular order.

  // The newest if it is ready, or null.
  const SandboxState* ReadySandbox() const {
    return !sandboxes.empty() && sandboxes[0].ready ? &sandboxes[0] : nullptr;
  }
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_POD_STATE_H_
