#include "agent/pods/back_off.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/clock.h"

namespace crisp::agent {
namespace {

// One life of a container after the other, as a crash loop has them.
class Life {
 public:
  // Starts when it may, runs for `ran`; returns how long it had to wait.
  absl::Duration Next(absl::Duration ran) {
    const NextStart next = AfterEnd(begun_ ? &last_ : nullptr, options_);
    const absl::Duration waited =
        begun_ ? std::max(next.at - clock_.Now(), absl::ZeroDuration()) : absl::ZeroDuration();
    clock_.Advance(waited);
    ContainerState container;
    container.next_back_off = next.next_back_off;
    container.created_at = container.started_at = clock_.Now();
    clock_.Advance(ran);
    container.finished_at = clock_.Now();
    last_ = container;
    begun_ = true;
    return waited;
  }
  BackOffOptions& options() { return options_; }

 private:
  FakeClock clock_;
  BackOffOptions options_;
  ContainerState last_;
  bool begun_ = false;
};

TEST(BackOffTest, DoublesFromTenSecondsToFiveMinutes) {
  Life life;
  std::vector<int64_t> waited;
  for (int i = 0; i < 9; ++i) waited.push_back(absl::ToInt64Seconds(life.Next(absl::Seconds(1))));
  EXPECT_EQ(waited, (std::vector<int64_t>{0, 0, 10, 20, 40, 80, 160, 300, 300}));
}

TEST(BackOffTest, TenMinutesOfRunningAreANewStart) {
  Life life;
  for (int i = 0; i < 5; ++i) life.Next(absl::Seconds(1));
  EXPECT_EQ(life.Next(absl::Minutes(9)), absl::Seconds(80));
  EXPECT_EQ(life.Next(absl::Minutes(10)), absl::Seconds(160));
  EXPECT_EQ(life.Next(absl::Seconds(1)), absl::ZeroDuration());
  EXPECT_EQ(life.Next(absl::Seconds(1)), absl::Seconds(10));
}

TEST(BackOffTest, BaseAndMaximumAreOptions) {
  Life life;
  life.options().base = absl::Seconds(1);
  life.options().max = absl::Seconds(3);
  std::vector<int64_t> waited;
  for (int i = 0; i < 6; ++i) {
    waited.push_back(absl::ToInt64Milliseconds(life.Next(absl::Milliseconds(10))));
  }
  EXPECT_EQ(waited, (std::vector<int64_t>{0, 0, 1000, 2000, 3000, 3000}));
  // A delay from before the maximum was lowered is no longer than it.
  ContainerState ended;
  ended.next_back_off = absl::Minutes(5);
  EXPECT_EQ(AfterEnd(&ended, life.options()).delay, absl::Seconds(3));
}

TEST(BackOffTest, WithoutTimesTheNextStartIsNow) {
  ContainerState lost;
  lost.next_back_off = absl::Seconds(40);
  EXPECT_EQ(AfterEnd(&lost, {}).at, absl::InfinitePast());
  EXPECT_EQ(AfterEnd(nullptr, {}).at, absl::InfinitePast());
  EXPECT_EQ(AfterEnd(nullptr, {}).next_back_off, absl::ZeroDuration());
}

TEST(BackOffTest, GoDurations) {
  EXPECT_EQ(GoDuration(absl::Seconds(10)), "10s");
  EXPECT_EQ(GoDuration(absl::Seconds(80)), "1m20s");
  EXPECT_EQ(GoDuration(absl::Minutes(5)), "5m0s");
  EXPECT_EQ(GoDuration(absl::Hours(1)), "1h0m0s");
  EXPECT_EQ(GoDuration(absl::Milliseconds(1500)), "1.5s");
  EXPECT_EQ(GoDuration(absl::Milliseconds(250)), "250ms");
}

}  // namespace
}  // namespace crisp::agent
