// Threads as many as there is work, up to a bound, for jobs that may wait: calls to
// another process, say.
//
// A thread is started when a job finds none idle, and ends after it had nothing to
// do for a while. Beyond the bound jobs wait their turn, in the order posted.
//
// Ownership: owns its threads; Stop, or the destructor, drops what has not begun and
//            waits for what runs.
// Threads:   Post and Stop from any thread that is not the pool's own (Post also from
//            a job). Jobs must not throw.
// Errors:    none: a job logs its own. Where no further thread can be started, jobs wait for
//            those that there are; Post waits while there is none at all.
#ifndef CRISP_BASE_ELASTIC_POOL_H_
#define CRISP_BASE_ELASTIC_POOL_H_

#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp {

class ElasticPool {
 public:
  explicit ElasticPool(int max_threads, absl::Duration idle_timeout = absl::Seconds(10));
  ~ElasticPool() { Stop(); }
  ElasticPool(const ElasticPool&) = delete;
  ElasticPool& operator=(const ElasticPool&) = delete;

  // Dropped after Stop.
  void Post(std::function<void()> job);
  void Stop();

  int threads() const;  // Now.

 private:
  bool StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Work();
  bool HasJobOrStopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !jobs_.empty();
  }
  bool NoThreads() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return threads_ == 0; }

  const int max_threads_;
  const absl::Duration idle_timeout_;
  mutable absl::Mutex mu_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mu_);
  int threads_ ABSL_GUARDED_BY(mu_) = 0;
  int idle_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace crisp

#endif  // CRISP_BASE_ELASTIC_POOL_H_
