#include "agent/store/subscribers.h"

#include <algorithm>
#include <utility>

namespace crisp::agent {

// Guarded by mu_ of its Subscribers, but for what never changes.
struct Subscribers::Entry {
  std::string kind;
  ObjectStore::Listener listener;
  bool begun = false;
  bool removed = false;
  bool ended_itself = false;
  std::deque<ObjectChange> waiting;

  bool ready() const { return begun && !removed && !waiting.empty(); }
};

Subscribers::Subscribers() : thread_([this] { Deliver(); }) {}

Subscribers::~Subscribers() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

Subscribers::Entry* Subscribers::Add(std::string kind, ObjectStore::Listener listener) {
  auto entry = std::make_unique<Entry>();
  entry->kind = std::move(kind);
  entry->listener = std::move(listener);
  absl::MutexLock lock(&mu_);
  entries_.push_back(std::move(entry));
  return entries_.back().get();
}

void Subscribers::Begin(Entry* entry) {
  absl::MutexLock lock(&mu_);
  entry->begun = true;
}

void Subscribers::Remove(Entry* entry) {
  const bool own_call = std::this_thread::get_id() == thread_.get_id();
  absl::MutexLock lock(&mu_);
  entry->removed = true;
  // A listener that ends its own subscription is still running: its entry goes when it
  // returns.
  if (own_call && calling_ == entry) {
    entry->ended_itself = true;
    return;
  }
  const auto idle = [this, entry]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return IsIdle(entry); };
  mu_.Await(absl::Condition(&idle));
  Erase(entry);
}

void Subscribers::Publish(const ObjectChange& change) {
  const std::string kind = KeyOf(*change.object).kind;
  absl::MutexLock lock(&mu_);
  for (const std::unique_ptr<Entry>& entry : entries_) {
    if (entry->removed || (!entry->kind.empty() && entry->kind != kind)) continue;
    entry->waiting.push_back(change);
  }
}

bool Subscribers::HasWork() const {
  return stopping_ || std::any_of(entries_.begin(), entries_.end(),
                                  [](const auto& entry) { return entry->ready(); });
}

bool Subscribers::IsDelivered() const {
  return calling_ == nullptr && std::none_of(entries_.begin(), entries_.end(),
                                             [](const auto& entry) { return entry->ready(); });
}

void Subscribers::WaitDelivered() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &Subscribers::IsDelivered));
}

bool Subscribers::IsIdle(Entry* entry) const { return calling_ != entry; }

void Subscribers::Deliver() {
  while (true) {
    Entry* entry = nullptr;
    ObjectChange change;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &Subscribers::HasWork));
      if (stopping_) return;
      const auto found = std::find_if(entries_.begin(), entries_.end(),
                                      [](const auto& one) { return one->ready(); });
      // To the end, so that a listener with many changes does not keep others waiting.
      entries_.splice(entries_.end(), entries_, found);
      entry = entries_.back().get();
      calling_ = entry;
      change = std::move(entry->waiting.front());
      entry->waiting.pop_front();
    }
    entry->listener(change);
    absl::MutexLock lock(&mu_);
    calling_ = nullptr;
    if (entry->ended_itself) Erase(entry);
  }
}

void Subscribers::Erase(Entry* entry) {
  entries_.remove_if([entry](const std::unique_ptr<Entry>& one) { return one.get() == entry; });
}

}  // namespace crisp::agent
