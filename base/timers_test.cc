#include "base/timers.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace crisp {
namespace {

TEST(TimersTest, InTheOrderInWhichTheyAreDue) {
  Timers timers;
  absl::Mutex mu;
  std::vector<int> order;
  absl::Notification done;
  const auto add = [&](int which) {
    absl::MutexLock lock(&mu);
    order.push_back(which);
  };
  timers.After(absl::Milliseconds(40), [&] {
    add(3);
    done.Notify();
  });
  timers.After(absl::Milliseconds(20), [&] { add(2); });
  timers.After(absl::ZeroDuration(), [&] { add(1); });
  done.WaitForNotification();
  absl::MutexLock lock(&mu);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(TimersTest, CancelledIsNotCalled) {
  Timers timers;
  absl::Notification done;
  bool called = false;
  const uint64_t id = timers.After(absl::Milliseconds(10), [&] { called = true; });
  timers.After(absl::Milliseconds(30), [&] { done.Notify(); });
  timers.Cancel(id);
  timers.Cancel(id);
  timers.Cancel(0);
  done.WaitForNotification();
  EXPECT_FALSE(called);
}

TEST(TimersTest, AnEarlierTimerWakesTheThread) {
  Timers timers;
  timers.After(absl::Hours(1), [] {});
  absl::SleepFor(absl::Milliseconds(5));
  absl::Notification done;
  timers.After(absl::Milliseconds(1), [&] { done.Notify(); });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(5)));
}

TEST(TimersTest, StopDropsTheRest) {
  bool called = false;
  {
    Timers timers;
    timers.After(absl::Milliseconds(50), [&] { called = true; });
    timers.Stop();
    timers.After(absl::ZeroDuration(), [&] { called = true; });
  }
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace crisp
