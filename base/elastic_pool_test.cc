#include "base/elastic_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/no_threads.h"

namespace crisp {
namespace {

TEST(ElasticPoolTest, GrowsWhileJobsWaitAndShrinksAfter) {
  ElasticPool pool(4, absl::Milliseconds(20));
  EXPECT_EQ(pool.threads(), 0);
  absl::Notification go;
  absl::BlockingCounter begun(4), done(4);
  for (int i = 0; i < 4; ++i) {
    pool.Post([&] {
      begun.DecrementCount();
      go.WaitForNotification();
      done.DecrementCount();
    });
  }
  begun.Wait();
  EXPECT_EQ(pool.threads(), 4);
  go.Notify();
  done.Wait();
  for (int i = 0; i < 500 && pool.threads() > 0; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(pool.threads(), 0);
}

TEST(ElasticPoolTest, NeverMoreThreadsThanItsBound) {
  ElasticPool pool(2);
  std::atomic<int> running = 0, most = 0;
  absl::BlockingCounter done(20);
  for (int i = 0; i < 20; ++i) {
    pool.Post([&] {
      const int now = ++running;
      if (now > most) most = now;
      absl::SleepFor(absl::Milliseconds(1));
      --running;
      done.DecrementCount();
    });
  }
  done.Wait();
  EXPECT_LE(most, 2);
}

TEST(ElasticPoolTest, StopDropsWhatHasNotBegun) {
  auto pool = std::make_unique<ElasticPool>(1);
  absl::Notification begun, go;
  std::atomic<bool> second = false;
  pool->Post([&] {
    begun.Notify();
    go.WaitForNotification();
  });
  pool->Post([&] { second = true; });
  begun.WaitForNotification();
  std::thread stop([&] { pool->Stop(); });
  absl::SleepFor(absl::Milliseconds(20));
  go.Notify();
  stop.join();
  pool->Post([&] { second = true; });
  pool.reset();
  EXPECT_FALSE(second);
}

TEST(ElasticPoolTest, WhereNoThreadCanBeStartedJobsWaitForOneThatIsThere) {
  ElasticPool pool(4);
  absl::Notification begun, go, second;
  pool.Post([&] {
    begun.Notify();
    go.WaitForNotification();
  });
  begun.WaitForNotification();
  const NoThreads none;
  pool.Post([&] { second.Notify(); });
  EXPECT_EQ(pool.threads(), 1);
  go.Notify();
  EXPECT_TRUE(second.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

TEST(ElasticPoolTest, TheFirstJobWaitsUntilAThreadCanBeStarted) {
  ElasticPool pool(4);
  absl::Notification posting, done;
  std::unique_ptr<NoThreads> none;
  std::thread again([&] {
    posting.WaitForNotification();
    absl::SleepFor(absl::Milliseconds(100));
    none.reset();
  });
  none = std::make_unique<NoThreads>();
  posting.Notify();
  pool.Post([&] { done.Notify(); });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
  again.join();
}

}  // namespace
}  // namespace crisp
