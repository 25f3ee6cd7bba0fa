#include "base/elastic_pool.h"

#include <thread>
#include <utility>

namespace crisp {

ElasticPool::ElasticPool(int max_threads, absl::Duration idle_timeout)
    : max_threads_(max_threads), idle_timeout_(idle_timeout) {}

void ElasticPool::Post(std::function<void()> job) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  // An idle thread may have been promised to an earlier job already.
  if (static_cast<int>(jobs_.size()) <= idle_ || threads_ >= max_threads_) return;
  ++threads_;
  // Detached: Stop counts the threads down to none instead of joining each.
  std::thread([this] { Work(); }).detach();
}

void ElasticPool::Stop() {
  std::deque<std::function<void()>> dropped;  // Destroyed outside the lock.
  absl::MutexLock lock(&mu_);
  stopping_ = true;
  dropped.swap(jobs_);
  mu_.Await(absl::Condition(this, &ElasticPool::NoThreads));
}

int ElasticPool::threads() const {
  absl::MutexLock lock(&mu_);
  return threads_;
}

void ElasticPool::Work() {
  while (true) {
    std::function<void()> job;
    {
      absl::MutexLock lock(&mu_);
      ++idle_;
      mu_.AwaitWithTimeout(absl::Condition(this, &ElasticPool::HasJobOrStopping), idle_timeout_);
      --idle_;
      if (jobs_.empty()) {
        --threads_;
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace crisp
