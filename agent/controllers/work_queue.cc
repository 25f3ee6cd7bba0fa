#include "agent/controllers/work_queue.h"

#include <algorithm>

namespace crisp::agent {

void WorkQueue::Add(const Item& item, absl::Duration after) {
  const absl::Duration time = clock_->Steady() + after;
  absl::MutexLock lock(&mu_);
  const auto [found, added] = times_.emplace(item, time);
  if (!added) {
    if (found->second <= time) return;
    order_.erase({found->second, item});
    found->second = time;
  }
  order_.emplace(time, item);
  changed_ = true;
}

std::optional<WorkQueue::Item> WorkQueue::PopDue() {
  if (order_.empty() || order_.begin()->first > clock_->Steady()) return std::nullopt;
  Item item = order_.begin()->second;
  order_.erase(order_.begin());
  times_.erase(item);
  return item;
}

std::optional<WorkQueue::Item> WorkQueue::TakeDue() {
  absl::MutexLock lock(&mu_);
  return PopDue();
}

absl::Duration WorkQueue::UntilFirst() const {
  if (order_.empty()) return absl::InfiniteDuration();
  return std::max(order_.begin()->first - clock_->Steady(), absl::ZeroDuration());
}

std::optional<WorkQueue::Item> WorkQueue::Take() {
  absl::MutexLock lock(&mu_);
  while (!stopped_) {
    std::optional<Item> item = PopDue();
    if (item.has_value()) return item;
    changed_ = false;
    mu_.AwaitWithTimeout(absl::Condition(this, &WorkQueue::Changed), UntilFirst());
  }
  return std::nullopt;
}

void WorkQueue::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

}  // namespace crisp::agent
