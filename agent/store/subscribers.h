// Who hears of changes, and the thread that tells them.
//
// Ownership: owns its thread. All subscriptions must have ended before it does.
// Threads:   safe. Listeners are called on this object's thread, one call at a time,
//            under no lock; the changes of one listener in the order of Publish.
#ifndef CRISP_AGENT_STORE_SUBSCRIBERS_H_
#define CRISP_AGENT_STORE_SUBSCRIBERS_H_

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/store/object_store.h"

namespace crisp::agent {

class Subscribers {
 public:
  Subscribers();
  ~Subscribers();

  // From here on `change`s of `kind` (empty: all) wait for the listener; none is
  // delivered before Begin. The caller holds whatever lock orders Publish.
  struct Entry;
  Entry* Add(std::string kind, ObjectStore::Listener listener);
  void Begin(Entry* entry);
  // On return no call of the listener is under way (unless this is one) and none
  // will come.
  void Remove(Entry* entry);

  void Publish(const ObjectChange& change);

  // Not from a listener.
  void WaitDelivered();

 private:
  void Deliver();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsDelivered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsIdle(Entry* entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Erase(Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::list<std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);
  Entry* calling_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STORE_SUBSCRIBERS_H_
