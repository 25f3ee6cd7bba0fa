// Functions to be called later, from one thread.
//
//   const uint64_t id = timers.After(absl::Seconds(10), [&] { pool.Post(...); });
//   timers.Cancel(id);
//
// Ownership: owns its thread. Stop, or the destructor, drops what is not due and
//            waits for the function that runs.
// Threads:   safe. Functions run one at a time and must be quick: they hand work on.
// Errors:    none.
#ifndef CRISP_BASE_TIMERS_H_
#define CRISP_BASE_TIMERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp {

class Timers {
 public:
  Timers();
  ~Timers() { Stop(); }
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  // Never 0.
  uint64_t After(absl::Duration delay, std::function<void()> function);
  // The function may be running, or may have run, when this returns. 0 and ids that
  // are gone do nothing.
  void Cancel(uint64_t id);
  // Not from a function of its own.
  void Stop();

 private:
  using Key = std::pair<absl::Time, uint64_t>;
  void Run();

  absl::Mutex mu_;
  absl::CondVar changed_;
  std::map<Key, std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, absl::Time> due_ ABSL_GUARDED_BY(mu_);
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace crisp

#endif  // CRISP_BASE_TIMERS_H_
