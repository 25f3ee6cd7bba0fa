// Threads for work that nobody waits for: tidying up after an exit, say.
//
// Ownership: owns its threads; the destructor runs what was posted, then joins.
// Threads:   Post from any thread. Jobs run in the order posted, up to
//            `threads` at a time, and must not throw.
// Errors:    none: a job logs its own.
#ifndef CRISP_BASE_BACKGROUND_H_
#define CRISP_BASE_BACKGROUND_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace crisp {

class Background {
 public:
  explicit Background(int threads);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void Post(std::function<void()> job);

 private:
  void Work();
  bool HasJobOrStopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !jobs_.empty();
  }

  absl::Mutex mu_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace crisp

#endif  // CRISP_BASE_BACKGROUND_H_
