// What the agent's calls work on. Borrowed; outlives the service.
#ifndef CRISP_AGENT_SERVICE_SERVICE_CONTEXT_H_
#define CRISP_AGENT_SERVICE_SERVICE_CONTEXT_H_

#include <string>

#include "absl/time/time.h"

namespace crisp {
class Clock;
}  // namespace crisp

namespace crisp::agent {

class ObjectStore;
class PodManager;
class RuntimeMonitor;
class StatsReader;
class VolumePusher;

struct ServiceContext {
  ObjectStore* store = nullptr;
  Clock* clock = nullptr;
  PodManager* pods = nullptr;
  RuntimeMonitor* runtime = nullptr;
  VolumePusher* volumes = nullptr;
  StatsReader* stats = nullptr;
  std::string node_name, cri_address, log_root, static_pod_path, static_pod_url;
  absl::Time started;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_SERVICE_SERVICE_CONTEXT_H_
