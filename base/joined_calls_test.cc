#include "base/joined_calls.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "base/status_matchers.h"

namespace crisp {
namespace {

using Result = absl::StatusOr<std::string>;

const auto kListening = [] { return false; };
const auto kGone = [] { return true; };

TEST(JoinedCallsTest, ManyCallsForOneThingDoTheWorkOnce) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  std::atomic<int> runs{0};
  absl::Notification entered, leave;
  std::thread first([&] {
    EXPECT_THAT(calls.Run("web", "v1", kListening,
                          [&]() -> Result {
                            ++runs;
                            entered.Notify();
                            leave.WaitForNotification();
                            return "id-1";
                          }),
                IsOkAndHolds(std::string("id-1")));
  });
  entered.WaitForNotification();
  std::vector<std::thread> others;
  std::atomic<int> joined{0};
  for (int i = 0; i < 8; ++i) {
    others.emplace_back([&] {
      ++joined;
      EXPECT_THAT(calls.Run("web", "v1", kListening,
                            [&]() -> Result {
                              ++runs;
                              return "another";
                            }),
                  IsOkAndHolds(std::string("id-1")));
    });
  }
  while (joined.load() < 8) std::this_thread::yield();
  absl::SleepFor(absl::Milliseconds(20));  // All eight are in Run by now, or start it late.
  leave.Notify();
  first.join();
  for (std::thread& other : others) other.join();
  // A thread that was late may have led a call of its own, but never beside the first.
  EXPECT_EQ(runs.load(), 1);
}

TEST(JoinedCallsTest, AnotherRequestUnderTheSameKeyIsAborted) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  EXPECT_OK(calls.Run("web", "v1", kListening, [&]() -> Result {
    EXPECT_THAT(calls.Run("web", "v2", kListening, []() -> Result { return "x"; }),
                StatusIs(absl::StatusCode::kAborted));
    return "id";
  }));
}

TEST(JoinedCallsTest, AResultThatNobodyHeardWaitsForTheRetry) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  int runs = 0;
  const auto work = [&]() -> Result { return "id-" + std::to_string(++runs); };
  EXPECT_OK(calls.Run("web", "v1", kGone, work));
  EXPECT_THAT(calls.Run("web", "v1", kListening, work), IsOkAndHolds(std::string("id-1")));
  // Delivered once: the next call is a new one.
  EXPECT_THAT(calls.Run("web", "v1", kListening, work), IsOkAndHolds(std::string("id-2")));
}

TEST(JoinedCallsTest, AParkedResultExpiresAndCanBeForgotten) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  int runs = 0;
  const auto work = [&]() -> Result { return "id-" + std::to_string(++runs); };
  EXPECT_OK(calls.Run("web", "v1", kGone, work));
  clock.Advance(absl::Minutes(3));
  EXPECT_THAT(calls.Run("web", "v1", kGone, work), IsOkAndHolds(std::string("id-2")));
  calls.Forget("web");
  EXPECT_THAT(calls.Run("web", "v1", kListening, work), IsOkAndHolds(std::string("id-3")));
}

TEST(JoinedCallsTest, AFailureIsNotParked) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  EXPECT_FALSE(
      calls.Run("web", "v1", kGone, []() -> Result { return absl::InternalError("no"); }).ok());
  EXPECT_OK(calls.Run("web", "v2", kListening, []() -> Result { return "id"; }));
}

TEST(JoinedCallsTest, AWaitingCallerCanLeave) {
  FakeClock clock;
  JoinedCalls<std::string> calls(&clock);
  EXPECT_OK(calls.Run("web", "v1", kListening, [&]() -> Result {
    std::thread waiting([&] {
      EXPECT_THAT(calls.Run("web", "v1", kGone, []() -> Result { return "x"; }),
                  StatusIs(absl::StatusCode::kCancelled));
    });
    waiting.join();
    return "id";
  }));
}

}  // namespace
}  // namespace crisp
