// Brings the agent's ConfigMaps and Secrets to the runtime, whose volumes they fill.
//
// Running pods see a change at once. What the runtime has from the agent and the agent
// does not have any more is taken away; objects that somebody else gave the runtime stay.
//
// Ownership: borrows the store and the client; owns its thread.
// Threads:   safe.
// Errors:    logged; everything is compared anew when the runtime comes back, and every
//            half minute.
// Crash:     nothing is kept: what the runtime has says what is to be done.
#ifndef CRISP_AGENT_NODE_VOLUME_PUSHER_H_
#define CRISP_AGENT_NODE_VOLUME_PUSHER_H_

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "agent/node/runtime_monitor.h"
#include "agent/store/object_store.h"

namespace crisp::agent {

class CriClient;

class VolumePusher {
 public:
  VolumePusher(ObjectStore* store, CriClient* client) : store_(store), client_(client) {}
  ~VolumePusher();

  void Start();
  void Stop();

  // What the monitor found. Without crisp.volumes.v1 nothing is done.
  void OnRuntime(const RuntimeInfo& runtime);
  // Brings one object now, so that the next call finds it there. Does nothing while the
  // runtime is away.
  void Push(const ObjectKey& key);

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || (usable_ && (!waiting_.empty() || compare_));
  }
  void Work();
  absl::Status PushOne(const ObjectKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(push_mu_);
  absl::Status PushConfigMap(const Json& object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(push_mu_);
  absl::Status PushSecret(const Json& object) ABSL_EXCLUSIVE_LOCKS_REQUIRED(push_mu_);
  absl::Status Delete(const ObjectKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(push_mu_);
  // What the runtime should not have any more.
  absl::Status RemoveForgotten();

  ObjectStore* const store_;
  CriClient* const client_;
  // One push at a time: an older state never overwrites a newer one.
  absl::Mutex push_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  absl::Mutex mu_;
  std::set<ObjectKey> waiting_ ABSL_GUARDED_BY(mu_);
  bool usable_ ABSL_GUARDED_BY(mu_) = false;
  bool compare_ ABSL_GUARDED_BY(mu_) = true;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<ObjectStore::Subscription>> subscriptions_;
  std::thread thread_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_NODE_VOLUME_PUSHER_H_
