// Time as a dependency, so that tests own it.
//
// Deadlines are measured with Steady(), which does not jump; timestamps that
// users see come from Now(). Ownership: passed as a borrowed pointer that
// outlives its users. Threads: safe.
#ifndef CRISP_BASE_CLOCK_H_
#define CRISP_BASE_CLOCK_H_

#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;         // CLOCK_REALTIME
  virtual absl::Duration Steady() const = 0;  // CLOCK_MONOTONIC since an arbitrary point
  int64_t NowNs() const { return absl::ToUnixNanos(Now()); }

  static Clock* Real();
};

class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000)) : now_(start) {}
  absl::Time Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  absl::Duration Steady() const override { return Now() - absl::UnixEpoch(); }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mu_);
    now_ += by;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp

#endif  // CRISP_BASE_CLOCK_H_
