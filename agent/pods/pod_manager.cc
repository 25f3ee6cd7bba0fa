#include "agent/pods/pod_manager.h"

#include <utility>

#include "agent/pods/node_pod_manager.h"
#include "agent/runtime/cri_runtime.h"

namespace crisp::agent {

std::unique_ptr<PodManager> PodManager::Create(ObjectStore* store, EventRecorder* events,
                                               CriClient* node, Clock* clock,
                                               PodManagerOptions options) {
  return std::make_unique<NodePodManager>(store, events, MakeCriRuntime(*node), clock,
                                          std::move(options));
}

}  // namespace crisp::agent
