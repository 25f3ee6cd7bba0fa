// Keys of objects that want a look, each at most once, now or later.
//
// A key that is added while it waits stays one key; the earlier time counts.
// Threads: safe.
#ifndef CRISP_AGENT_CONTROLLERS_WORK_QUEUE_H_
#define CRISP_AGENT_CONTROLLERS_WORK_QUEUE_H_

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/store/object.h"
#include "base/clock.h"

namespace crisp::agent {

class WorkQueue {
 public:
  struct Item {
    int controller = 0;  // Whose it is.
    ObjectKey key;
    auto operator<=>(const Item&) const = default;
  };

  explicit WorkQueue(Clock* clock) : clock_(clock) {}

  void Add(const Item& item, absl::Duration after = absl::ZeroDuration());
  // The item whose time came first, if any has come.
  std::optional<Item> TakeDue();
  // Waits for one; nothing after Stop.
  std::optional<Item> Take();
  void Stop();

 private:
  absl::Duration UntilFirst() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<Item> PopDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Changed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || changed_; }

  Clock* const clock_;
  absl::Mutex mu_;
  std::map<Item, absl::Duration> times_ ABSL_GUARDED_BY(mu_);  // On Steady().
  std::set<std::pair<absl::Duration, Item>> order_ ABSL_GUARDED_BY(mu_);
  bool changed_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_WORK_QUEUE_H_
