#include "base/timers.h"

#include <algorithm>

#include "base/clock.h"

namespace crisp {
namespace {

// Steady time as absl::Time, so that a jump of the wall clock moves no timer.
absl::Time SteadyNow() { return absl::UnixEpoch() + Clock::Real()->Steady(); }

}  // namespace

Timers::Timers() : thread_([this] { Run(); }) {}

uint64_t Timers::After(absl::Duration delay, std::function<void()> function) {
  absl::MutexLock lock(&mu_);
  const uint64_t id = next_id_++;
  if (stopping_) return id;
  const absl::Time due = SteadyNow() + std::max(delay, absl::ZeroDuration());
  const bool first = queue_.empty() || due < queue_.begin()->first.first;
  queue_.emplace(Key(due, id), std::move(function));
  due_[id] = due;
  if (first) changed_.Signal();
  return id;
}

void Timers::Cancel(uint64_t id) {
  absl::MutexLock lock(&mu_);
  const auto found = due_.find(id);
  if (found == due_.end()) return;
  queue_.erase(Key(found->second, id));
  due_.erase(found);
}

void Timers::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    queue_.clear();
    due_.clear();
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void Timers::Run() {
  while (true) {
    std::function<void()> function;
    {
      absl::MutexLock lock(&mu_);
      if (stopping_) return;
      if (queue_.empty()) {
        changed_.Wait(&mu_);
        continue;
      }
      const auto next = queue_.begin();
      const absl::Duration wait = next->first.first - SteadyNow();
      if (wait > absl::ZeroDuration()) {
        changed_.WaitWithTimeout(&mu_, wait);
        continue;
      }
      function = std::move(next->second);
      due_.erase(next->first.second);
      queue_.erase(next);
    }
    function();
  }
}

}  // namespace crisp
