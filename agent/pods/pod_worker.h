// One pod: looks at it, decides, writes its status, acts, until there is nothing to do.
//
// Sync takes milliseconds: what takes longer (pulls, hooks, graceful stops, probes) runs
// elsewhere and wakes the pod. The status is written before anything that it tells of
// is removed, so counts survive a crash at any point.
//
// Ownership: borrows the services. Held by shared_ptr: a hook that runs keeps it alive.
// Threads:   Sync from one thread at a time; Instances, ObjectsChanged from any.
// Errors:    the runtime's, in Outcome; the pod's own go into its status and events.
#ifndef CRISP_AGENT_PODS_POD_WORKER_H_
#define CRISP_AGENT_PODS_POD_WORKER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/pods/container_history.h"
#include "agent/pods/pod_manager.h"
#include "agent/pods/pod_services.h"
#include "agent/pods/pod_starter.h"
#include "agent/pods/pod_status.h"
#include "agent/pods/pod_sync.h"

namespace crisp::agent {

class PodWorker : public std::enable_shared_from_this<PodWorker> {
 public:
  PodWorker(const PodServices* services, std::string uid);

  struct Outcome {
    absl::Status runtime;  // Of looking at the pod.
    bool gone = false;     // Nothing is left, not even the object.
    absl::Time wake_at = absl::InfiniteFuture();
    std::string signature;  // Of what the runtime has (SignatureOf).
  };
  // `object`: as last heard of; null if there never was one. `removed`: it is in the store
  // no more, and what runs of it is to end.
  Outcome Sync(const ObjectPtr& object, bool removed, const RuntimeTraits& traits);

  // The runtime has not answered for long: the status says so.
  void RuntimeIsAway(const ObjectPtr& object);

  PodInstances Instances() const;
  // A ConfigMap or Secret changed: what failed for want of one is tried again at once.
  void ObjectsChanged();

 private:
  // Of one container, what the runtime does not know.
  struct Memory {
    std::optional<Waiting> waiting;
    absl::Time retry_at = absl::InfinitePast();
    absl::Duration delay = absl::ZeroDuration();
    bool config_error = false;
    std::string hook_runs_for;  // Id of the container whose postStart hook runs.
    std::string hook_failed_for;
    std::string back_off_told_for;
    std::string replaced;  // Id of the container that ends because its definition changed.
    std::string image;     // What `waiting` and `delay` are about.
  };
  struct View;  // One look at the pod.

  bool Parse(const ObjectPtr& object, const RuntimePod& observed, const RuntimeTraits& traits);
  void Look(View* view);
  void LookAtContainer(View* view, const Container& container, bool init);
  void ReadLastWords(const View& view);
  absl::Duration GraceLeft(const View& view);
  void CheckDeadline(View* view);
  void WriteStatus(const View& view);
  void WriteStatus(const ObjectKey& key, Json status);
  void Publish(const View& view);

  // True if the pod is to be looked at again at once.
  bool Act(const View& view, Outcome* outcome);
  void Kill(const View& view);
  bool StopAndRemove(const View& view, Outcome* outcome);
  bool StartSandbox(const View& view);
  void StartContainer(const View& view, const StartAction& action);
  void RunPostStart(const View& view, const Container& container, bool init, const std::string& id);
  absl::Status Finish(const View& view);
  // Of a pod that is over and of which nothing runs, though it stays listed.
  void ReleaseUserNamespace(const View& view);
  void TellBackOff(const View& view);
  // Brings labels and annotations to the pod's downwardAPI volumes.
  void UpdateMetadata(const View& view, Outcome* outcome);

  const Container* Find(const std::string& name, bool* init) const;
  ProbeTarget TargetOf(const View& view, const Container& container, const std::string& id) const;

  const PodServices& s_;
  const std::string uid_;
  const PodStarter starter_;

  // Of Sync's thread alone.
  std::optional<PodContext> pod_;
  int64_t parsed_generation_ = -1;
  bool parsed_from_object_ = false;
  Json status_;  // As it stands in the store.
  std::map<std::string, std::string> last_words_;
  std::optional<absl::Duration> ending_since_;  // Of Clock::Steady.
  absl::Time sandbox_retry_at_ = absl::InfinitePast();
  absl::Duration sandbox_delay_ = absl::ZeroDuration();
  bool sandbox_change_told_ = false;
  std::string metadata_told_;  // The sandbox, labels and annotations of the last UpdatePod.

  mutable absl::Mutex mu_;
  std::map<std::string, Memory> memory_ ABSL_GUARDED_BY(mu_);
  bool objects_changed_ ABSL_GUARDED_BY(mu_) = false;
  PodInstances instances_ ABSL_GUARDED_BY(mu_);
};

// Two looks at a pod with the same signature show the same.
std::string SignatureOf(const RuntimePod& pod);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_WORKER_H_
