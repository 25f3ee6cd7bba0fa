// One look at a pod: what was found, and what follows from it. For pod_worker*.cc alone.
#ifndef CRISP_AGENT_PODS_POD_WORKER_VIEW_H_
#define CRISP_AGENT_PODS_POD_WORKER_VIEW_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "agent/pods/pod_worker.h"

namespace crisp::agent {

// Who was stopped late still gets a moment to end by itself.
inline constexpr absl::Duration kLeastGrace = absl::Seconds(2);

struct PodWorker::View {
  View(RuntimePod pod, const Json& status) : observed(std::move(pod)), history(observed, status) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const RuntimePod observed;
  const ContainerHistory history;
  bool deleted = false;
  std::optional<Waiting> failed;  // The pod as a whole, as of now.
  absl::Time deadline_at = absl::InfiniteFuture();

  SyncInput input;
  std::map<std::string, bool> ready;
  std::set<std::string> probed;  // Container ids.
  SyncPlan plan;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_WORKER_VIEW_H_
