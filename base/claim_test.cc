#include "base/claim.h"

#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"

namespace crisp {
namespace {

using ::testing::HasSubstr;

TEST(ClaimTest, OneAtATimeAndTheOtherIsToldWhatHoldsIt) {
  Claimable object;
  {
    const auto claim = object.ClaimFor("start it", absl::ZeroDuration());
    ASSERT_OK(claim);
    EXPECT_THAT(object.ClaimFor("remove it", absl::Milliseconds(1)),
                StatusIs(absl::StatusCode::kDeadlineExceeded,
                         HasSubstr("cannot remove it: a call to start it is under way")));
  }
  EXPECT_OK(object.ClaimFor("remove it", absl::ZeroDuration()));
}

TEST(ClaimTest, WhoWaitsGetsItWhenItIsFree) {
  Claimable object;
  absl::Notification held;
  std::thread holder([&] {
    const auto claim = object.ClaimFor("start it", absl::ZeroDuration());
    held.Notify();
    absl::SleepFor(absl::Milliseconds(20));
  });
  held.WaitForNotification();
  EXPECT_OK(object.ClaimFor("remove it", absl::Seconds(20)));
  holder.join();
}

TEST(ClaimTest, AClaimThatMovesIsReleasedOnce) {
  Claimable object;
  auto first = object.ClaimFor("start it", absl::ZeroDuration());
  {
    const Claim moved = *std::move(first);
    EXPECT_FALSE(object.ClaimFor("remove it", absl::ZeroDuration()).ok());
  }
  EXPECT_OK(object.ClaimFor("remove it", absl::ZeroDuration()));
}

}  // namespace
}  // namespace crisp
