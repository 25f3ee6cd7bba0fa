// One mutex a key, alive while somebody holds or awaits it.
//
//   KeyedMutex::Lock lock(&mutexes, sandbox_id);
//
// Threads: safe. A thread must not lock the same key twice.
#ifndef CRISP_NETNS_KEYED_MUTEX_H_
#define CRISP_NETNS_KEYED_MUTEX_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace crisp::netns {

class KeyedMutex {
 public:
  class Lock {
   public:
    Lock(KeyedMutex* owner, std::string key) : owner_(owner), key_(std::move(key)) {
      owner_->Acquire(key_);
    }
    ~Lock() { owner_->Release(key_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    KeyedMutex* const owner_;
    const std::string key_;
  };

 private:
  struct Entry {
    bool held = false;
    int users = 0;  // The holder and those who wait.
  };

  void Acquire(const std::string& key) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    std::unique_ptr<Entry>& slot = entries_[key];
    if (slot == nullptr) slot = std::make_unique<Entry>();
    Entry* entry = slot.get();
    ++entry->users;
    mu_.Await(absl::Condition(
        +[](Entry* e) { return !e->held; }, entry));
    entry->held = true;
  }

  void Release(const std::string& key) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const auto it = entries_.find(key);
    it->second->held = false;
    if (--it->second->users == 0) entries_.erase(it);
  }

  absl::Mutex mu_;
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_KEYED_MUTEX_H_
