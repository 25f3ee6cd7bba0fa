#include "base/elastic_pool.h"

#include <system_error>
#include <thread>
#include <utility>

namespace crisp {
namespace {

constexpr absl::Duration kStartAgain = absl::Milliseconds(20);

}  // namespace

ElasticPool::ElasticPool(int max_threads, absl::Duration idle_timeout)
    : max_threads_(max_threads), idle_timeout_(idle_timeout) {}

void ElasticPool::Post(std::function<void()> job) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  // An idle thread may have been promised to an earlier job already.
  if (static_cast<int>(jobs_.size()) <= idle_ || threads_ >= max_threads_) return;
  while (!stopping_ && !StartThread() && threads_ == 0) {
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), kStartAgain);
  }
}

bool ElasticPool::StartThread() {
  try {
    // Detached: Stop counts the threads down to none instead of joining each.
    std::thread([this] { Work(); }).detach();
  } catch (const std::system_error&) {
    return false;  // The host has as many processes as it can have.
  }
  ++threads_;
  return true;
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
