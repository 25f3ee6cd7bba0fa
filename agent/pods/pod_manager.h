// Makes this node's pods what their objects say, and their status what is true.
//
// Watches objects of kind Pod whose spec.nodeName is this node: starts them, keeps
// their containers by restart policy and probes, ends them when they are marked
// deleted (then removes the object), and writes status. Everything it must know
// after a kill -9 is in the pod's status and in what the runtime lists: a new
// manager adopts running pods and makes no container twice.
//
// Ownership: borrows the store, the recorder, the CRI client and the clock.
// Threads:   safe. A pod is worked on by one thread at a time.
// Errors:    of one pod go into its status and events; Start's are the node's.
#ifndef CRISP_AGENT_PODS_POD_MANAGER_H_
#define CRISP_AGENT_PODS_POD_MANAGER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/node_facts.h"
#include "agent/store/object_store.h"
#include "base/clock.h"

namespace crisp::agent {

class CriClient;

struct PodManagerOptions {
  std::string node_name;  // spec.nodeName of the pods that are ours.
  NodeFacts node;
  std::string log_root = "/var/log/pods";
  // Per pod: what the agent itself mounts into containers.
  std::string pod_root = "/var/lib/crisp/agent/pods";
  absl::Duration back_off = absl::Seconds(10);  // The first; doubles.
  absl::Duration max_back_off = absl::Minutes(5);
  absl::Duration back_off_reset = absl::Minutes(10);  // Of running.
  bool legacy_env_names = false;  // Skip names that are no C identifiers, with an event.
};

// Where a container of a pod runs.
struct ContainerInstance {
  std::string name;
  bool init = false;
  std::string id;  // The newest; empty before the first.
  bool running = false;
  std::string log_path;
  int restart_count = 0;
  std::string previous_id, previous_log_path;  // Empty if there is none.
  std::string waiting_reason;
};

struct PodInstances {
  std::string sandbox_id;  // Empty while there is none.
  std::string pod_ip;
  std::vector<ContainerInstance> containers;  // In the order of the spec, init ones first.
};

class PodManager {
 public:
  static std::unique_ptr<PodManager> Create(ObjectStore* store, EventRecorder* events,
                                            CriClient* node, Clock* clock,
                                            PodManagerOptions options);
  virtual ~PodManager() = default;

  // Reads what the runtime has, adopts it, and begins. While the runtime is away
  // pods keep their last status and Start goes on trying in the background.
  virtual absl::Status Start() = 0;
  // Lets go of the pods; they run on.
  virtual void Stop() = 0;

  // NotFound for a pod that this manager does not know.
  virtual absl::StatusOr<PodInstances> Instances(const std::string& uid) const = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_MANAGER_H_
