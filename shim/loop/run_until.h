// For tests: turns a loop until something has happened.
#ifndef CRISP_SHIM_LOOP_RUN_UNTIL_H_
#define CRISP_SHIM_LOOP_RUN_UNTIL_H_

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

// False: it did not happen in time.
inline bool RunUntil(Loop* loop, const std::function<bool()>& happened,
                     absl::Duration within = absl::Seconds(10)) {
  const absl::Time deadline = absl::Now() + within;
  while (!happened()) {
    if (absl::Now() > deadline) return false;
    const Loop::Id timer = loop->After(absl::Milliseconds(2), [loop] { loop->Quit(); });
    loop->Run();
    loop->Cancel(timer);
  }
  return true;
}

inline void RunFor(Loop* loop, absl::Duration time) {
  (void)RunUntil(
      loop, [] { return false; }, time);
}

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LOOP_RUN_UNTIL_H_
