#include "cri/images/pull_flights.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/no_threads.h"
#include "base/status_matchers.h"
#include "cri/images/layer_downloads.h"

namespace crisp::cri {
namespace {

using Cancelled = PullFlights::Cancelled;

TEST(PullFlightsTest, ConcurrentCallersShareOneRun) {
  PullFlights flights;
  std::atomic<int> runs = 0, returned = 0;
  absl::Notification go;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const absl::StatusOr<std::string> result =
          flights.Run("key", nullptr, [&](const Cancelled&) -> absl::StatusOr<std::string> {
            ++runs;
            go.WaitForNotification();
            return std::string("id");
          });
      EXPECT_THAT(result, IsOkAndHolds("id"));
      ++returned;
    });
  }
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_EQ(returned, 0);
  go.Notify();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 1);
}

TEST(PullFlightsTest, OneCallerLeavesTheOtherGoesOn) {
  PullFlights flights;
  absl::Notification started, go;
  std::atomic<bool> first_left = false;
  const auto work = [&](const Cancelled& stop) -> absl::StatusOr<std::string> {
    started.Notify();
    go.WaitForNotification();
    if (stop()) return absl::CancelledError("stopped");
    return std::string("id");
  };
  std::thread first([&] {
    EXPECT_THAT(flights.Run(
                    "key", [&] { return first_left.load(); }, work),
                StatusIs(absl::StatusCode::kCancelled));
  });
  started.WaitForNotification();
  std::thread second([&] {
    EXPECT_THAT(flights.Run(
                    "key", [] { return false; }, work),
                IsOkAndHolds("id"));
  });
  absl::SleepFor(absl::Milliseconds(100));
  first_left = true;
  first.join();
  go.Notify();
  second.join();
}

TEST(PullFlightsTest, TheLastToLeaveStopsTheWork) {
  PullFlights flights;
  absl::Notification stopped;
  const auto work = [&](const Cancelled& stop) -> absl::StatusOr<std::string> {
    while (!stop()) absl::SleepFor(absl::Milliseconds(5));
    stopped.Notify();
    return absl::CancelledError("stopped");
  };
  EXPECT_THAT(flights.Run(
                  "key", [] { return true; }, work),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(stopped.WaitForNotificationWithTimeout(absl::Seconds(5)));
  // Who comes after that begins anew.
  EXPECT_THAT(
      flights.Run(
          "key", [] { return false; },
          [](const Cancelled&) -> absl::StatusOr<std::string> { return std::string("anew"); }),
      IsOkAndHolds("anew"));
}

TEST(PullFlightsTest, WhatTheWorkThrowsIsItsError) {
  PullFlights flights;
  EXPECT_THAT(flights.Run("key", nullptr,
                          [](const Cancelled&) -> absl::StatusOr<std::string> {
                            throw std::length_error("too long");
                          }),
              StatusIs(absl::StatusCode::kInternal, "too long"));
}

TEST(PullFlightsTest, AnotherTryIsNotHeldUpByOneThatGotNoThread) {
  PullFlights flights;
  const auto work = [](const Cancelled&) -> absl::StatusOr<std::string> {
    return std::string("id");
  };
  {
    const NoThreads none;
    EXPECT_THAT(flights.Run("key", nullptr, work), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(flights.Run("key", nullptr, work), IsOkAndHolds("id"));
}

TEST(LayerDownloadsTest, WithoutAThreadNothingIsWaitedFor) {
  std::atomic<bool> stop = false;
  const NoThreads none;
  LayerDownloads downloads(
      0, 2, 2, [](size_t) { return absl::OkStatus(); }, &stop);
  EXPECT_THAT(downloads.Wait(0), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(PullFlightsTest, OtherKeysAreOtherRuns) {
  PullFlights flights;
  int runs = 0;
  const auto work = [&](const Cancelled&) -> absl::StatusOr<std::string> {
    ++runs;
    return std::string("id");
  };
  EXPECT_OK(flights.Run("a", nullptr, work));
  EXPECT_OK(flights.Run("b", nullptr, work));
  EXPECT_OK(flights.Run("a", nullptr, work));
  EXPECT_EQ(runs, 3);
}

}  // namespace
}  // namespace crisp::cri
