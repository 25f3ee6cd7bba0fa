// A pod's status, in Kubernetes' words, from what is true of it. Pure: the same input
// gives the same JSON, so that a status is written only when something has changed.
//
// Threads: free function.
#ifndef CRISP_AGENT_PODS_POD_STATUS_H_
#define CRISP_AGENT_PODS_POD_STATUS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/pods/container_history.h"
#include "agent/pods/pod_sync.h"
#include "agent/runtime/pod_state.h"
#include "agent/store/object.h"

namespace crisp::agent {

struct StatusInput {
  std::vector<ContainerRole> init, main;
  std::string restart_policy = "Always";
  std::string qos_class;
  bool host_network = false;
  std::string host_ip, runtime_name;

  const RuntimePod* observed = nullptr;
  const ContainerHistory* history = nullptr;
  std::map<std::string, ContainerProgress> progress;
  std::map<std::string, bool> ready;              // By name, of containers with a readiness probe.
  std::map<std::string, Waiting> waiting;         // SyncPlan's.
  std::map<std::string, std::string> last_words;  // Termination messages, by container id.
  Json previous;                                  // The last status, or null.
  absl::Time now;

  // The pod as a whole has failed: "DeadlineExceeded", say.
  std::optional<Waiting> failed;
};

Json BuildPodStatus(const StatusInput& input);

// Succeeded and Failed are final.
bool IsTerminalPhase(const Json& status);

// Of a pod whose runtime has not answered for long: what was last known, as Unknown.
Json UnknownPodStatus(const Json& previous, const std::string& node_name, absl::Time now);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_STATUS_H_
