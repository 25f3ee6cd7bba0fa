#include "base/background.h"

#include <atomic>

#include "absl/synchronization/blocking_counter.h"
#include "base/status_matchers.h"

namespace crisp {
namespace {

TEST(BackgroundTest, RunsWhatWasPostedBeforeItEnds) {
  std::atomic<int> runs{0};
  {
    Background background(3);
    for (int i = 0; i < 100; ++i) background.Post([&] { ++runs; });
  }
  EXPECT_EQ(runs.load(), 100);
}

TEST(BackgroundTest, AJobMayPostAnother) {
  std::atomic<int> runs{0};
  {
    Background background(1);
    absl::BlockingCounter done(2);
    background.Post([&] {
      background.Post([&] {
        ++runs;
        done.DecrementCount();
      });
      ++runs;
      done.DecrementCount();
    });
    done.Wait();
  }
  EXPECT_EQ(runs.load(), 2);
}

}  // namespace
}  // namespace crisp
