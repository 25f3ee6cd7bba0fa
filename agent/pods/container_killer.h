// Stops containers gracefully without holding up whoever asked: the preStop hook, then
// the stop signal, then SIGKILL when the grace period is over.
//
// A container is stopped once, however often it is asked for; asked again with less time,
// it gets less time.
//
// Ownership: borrows all. Threads: safe.
// Errors:    none to the caller: `wake` is called, and whoever still finds the container
//            running asks again.
#ifndef CRISP_AGENT_PODS_CONTAINER_KILLER_H_
#define CRISP_AGENT_PODS_CONTAINER_KILLER_H_

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/manifest/pod.h"
#include "agent/probes/probe_runner.h"
#include "agent/runtime/pod_runtime.h"
#include "base/clock.h"
#include "base/elastic_pool.h"

namespace crisp::agent {

class ContainerKiller {
 public:
  using Wake = std::function<void(const std::string& pod_uid)>;
  ContainerKiller(PodRuntime* runtime, EventRecorder* events, Clock* clock, ElasticPool* pool,
                  const absl::Notification* stop, Wake wake);

  struct Request {
    ObjectPtr pod;  // For events.
    std::string pod_uid;
    std::string field_path;
    ProbeTarget target;  // The container, and how its hook reaches it.
    std::optional<LifecycleHandler> pre_stop;
    absl::Duration grace;  // 0: SIGKILL at once.
    std::string message;   // Of the event Killing.
  };
  void Kill(const Request& request);

  // Ids of the pod's containers that are being stopped.
  std::set<std::string> Killing(const std::string& pod_uid) const;
  void Forget(const std::string& pod_uid);

 private:
  struct Under {  // A container on its way out.
    std::string pod_uid;
    absl::Duration deadline;  // Of Clock::Steady.
    int calls = 0;            // Under way.
  };

  void Run(const Request& request, bool first, absl::Duration deadline);

  PodRuntime& runtime_;
  EventRecorder& events_;
  Clock& clock_;
  ElasticPool& pool_;
  const absl::Notification& stop_;  // The agent ends: nothing is to be told any more.
  const Wake wake_;
  mutable absl::Mutex mu_;
  std::map<std::string, Under> under_ ABSL_GUARDED_BY(mu_);  // By container id.
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_CONTAINER_KILLER_H_
