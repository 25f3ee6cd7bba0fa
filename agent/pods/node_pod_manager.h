// The PodManager, over any runtime.
//
// Three things wake a pod: a change of its object, an event of the runtime, and a timer
// that its last look asked for. A relist now and then finds what was missed, and is all
// there is where the runtime has no events. Woken pods wait in a pool's queue; each is
// worked on by one thread at a time, and a wake meanwhile makes it look once more.
#ifndef CRISP_AGENT_PODS_NODE_POD_MANAGER_H_
#define CRISP_AGENT_PODS_NODE_POD_MANAGER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "agent/pods/container_killer.h"
#include "agent/pods/image_puller.h"
#include "agent/pods/pod_manager.h"
#include "agent/pods/pod_services.h"
#include "agent/pods/pod_worker.h"
#include "agent/pods/user_namespaces.h"
#include "agent/probes/probe_manager.h"
#include "agent/runtime/pod_runtime.h"
#include "base/elastic_pool.h"
#include "base/timers.h"

namespace crisp::agent {

// How often, and after how long; tests are quicker.
struct PodManagerPace {
  absl::Duration relist_with_events = absl::Seconds(10);
  absl::Duration relist_without = absl::Seconds(2);
  absl::Duration retry_runtime = absl::Milliseconds(500);
  absl::Duration runtime_lost_after = absl::Minutes(1);
};

class NodePodManager : public PodManager {
 public:
  NodePodManager(ObjectStore* store, EventRecorder* events, std::unique_ptr<PodRuntime> runtime,
                 Clock* clock, PodManagerOptions options, PodManagerPace pace = {});
  ~NodePodManager() override { Stop(); }

  absl::Status Start() override;
  void Stop() override;
  absl::StatusOr<PodInstances> Instances(const std::string& uid) const override;

 private:
  struct Entry {
    std::shared_ptr<PodWorker> worker;
    ObjectPtr object;      // As last heard of; null for one that only the runtime knows.
    bool removed = false;  // Not in the store any more.
    bool queued = false, running = false, again = false;
    uint64_t timer = 0;
    std::string signature;  // Of the last look.
    std::string ns;
  };

  void OnPodChange(const ObjectChange& change);
  void OnDataChange(const ObjectChange& change);
  void Wake(const std::string& uid);
  void WakeLocked(const std::string& uid, Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WorkOn(const std::string& uid);
  void Settle(const std::string& uid, const PodWorker::Outcome& outcome);
  Entry& EntryOf(const std::string& uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void RelistLoop();
  absl::Status Relist();
  // What an agent before this one took for pods that nobody has any more.
  void FreeUserNamespaces(const std::vector<RuntimePod>& listed);
  void WatchLoop();
  void RuntimeAnswers(bool answers);
  void Poke();
  bool PokedOrStopped() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return poked_ || stopped_; }

  const std::unique_ptr<PodRuntime> runtime_;
  const PodManagerPace pace_;
  const std::unique_ptr<ProbeRunner> probe_runner_;
  absl::Notification stop_;
  // The pools end before what their jobs use: see Stop.
  ElasticPool sync_pool_, pull_pool_, kill_pool_, probe_pool_;
  Timers timers_;
  UserNamespaces user_namespaces_;
  PodServices services_;
  ImagePuller images_;
  ContainerKiller killer_;
  ProbeManager probes_;

  mutable absl::Mutex mu_;
  std::map<std::string, Entry> pods_ ABSL_GUARDED_BY(mu_);
  RuntimeTraits traits_ ABSL_GUARDED_BY(mu_);
  bool traits_known_ ABSL_GUARDED_BY(mu_) = false;
  bool answers_ ABSL_GUARDED_BY(mu_) = false;       // The runtime, when last asked.
  bool lost_told_ ABSL_GUARDED_BY(mu_) = false;     // Pods are Unknown by now.
  absl::Duration away_since_ ABSL_GUARDED_BY(mu_);  // Of Clock::Steady.
  bool has_events_ ABSL_GUARDED_BY(mu_) = false;
  bool poked_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  std::vector<std::unique_ptr<ObjectStore::Subscription>> subscriptions_;
  std::thread relist_, watch_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_NODE_POD_MANAGER_H_
