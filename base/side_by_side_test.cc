#include "base/side_by_side.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/no_threads.h"

namespace crisp {
namespace {

TEST(SideBySideTest, AllAtOnce) {
  absl::Mutex mu;
  int begun = 0;
  const auto all = [&] { return begun == 4; };
  SideBySide(4, 4, [&](size_t) {
    absl::MutexLock lock(&mu);
    ++begun;
    mu.Await(absl::Condition(&all));  // For ever, if they came one after the other.
  });
}

TEST(SideBySideTest, EachOnceAndNeverMoreThanSaid) {
  std::vector<std::atomic<int>> calls(100);
  std::atomic<int> running = 0, most = 0;
  SideBySide(calls.size(), 3, [&](size_t i) {
    const int now = ++running;
    if (now > most) most = now;
    ++calls[i];
    absl::SleepFor(absl::Milliseconds(1));  // As long as others would come, if they could.
    --running;
  });
  for (const auto& times : calls) EXPECT_EQ(times, 1);
  EXPECT_LE(most, 3);
  SideBySide(0, 3, [](size_t) { FAIL(); });
}

TEST(SideBySideTest, WithoutThreadsTheCallerDoesItAll) {
  const NoThreads none;
  std::vector<int> order;
  SideBySide(3, 3, [&](size_t i) { order.push_back(static_cast<int>(i)); });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

}  // namespace
}  // namespace crisp
