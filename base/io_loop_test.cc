#include "base/io_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"

namespace crisp {
namespace {

using ::testing::ElementsAre;

struct Pipe {
  Pipe() {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  UniqueFd read, write;
};

class IoLoopTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(loop_, IoLoop::Create()); }
  std::unique_ptr<IoLoop> loop_;
};

TEST_F(IoLoopTest, CallsTheHandlerForInputAndForTheEnd) {
  Pipe pipe;
  std::string got;
  absl::Notification end;
  ASSERT_OK(loop_->Watch(pipe.read.get(), [&](uint64_t id) {
    char c;
    if (::read(pipe.read.get(), &c, 1) == 1) {
      got.push_back(c);
    } else {
      loop_->Unwatch(id);
      end.Notify();
    }
  }));
  ASSERT_EQ(::write(pipe.write.get(), "abc", 3), 3);
  pipe.write.reset();
  ASSERT_TRUE(end.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_EQ(got, "abc");
}

TEST_F(IoLoopTest, PostedWorkRunsInOrder) {
  std::vector<int> order;
  absl::Notification done;
  for (int i = 0; i < 3; ++i) loop_->Post([&, i] { order.push_back(i); });
  loop_->Post([&] { done.Notify(); });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST_F(IoLoopTest, TimersRunWhenDueAndInTheirOrder) {
  std::vector<int> order;
  absl::Notification done;
  const absl::Time start = absl::Now();
  loop_->PostAfter(absl::Milliseconds(60), [&] {
    order.push_back(60);
    done.Notify();
  });
  loop_->PostAfter(absl::Milliseconds(20), [&] { order.push_back(20); });
  loop_->PostAfter(absl::ZeroDuration(), [&] { order.push_back(0); });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_THAT(order, ElementsAre(0, 20, 60));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(59));
}

// After Unwatch returns the handler's captures may die: it is called for a pipe
// that is readable all the time.
TEST_F(IoLoopTest, UnwatchWaitsForTheHandler) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.write.get(), "x", 1), 1);
  for (int i = 0; i < 200; ++i) {
    auto calls = std::make_unique<std::atomic<int>>(0);
    ASSERT_OK_AND_ASSIGN(const uint64_t id,
                         loop_->Watch(pipe.read.get(), [raw = calls.get()](uint64_t) { ++*raw; }));
    while (*calls == 0) absl::SleepFor(absl::Microseconds(10));
    loop_->Unwatch(id);
    const int last = *calls;
    EXPECT_EQ(*calls, last);
  }
}

TEST_F(IoLoopTest, StopForgetsWhatHasNotRun) {
  auto held = std::make_shared<int>(1);
  loop_->PostAfter(absl::Hours(1), [held] { ADD_FAILURE() << "ran"; });
  EXPECT_EQ(held.use_count(), 2);
  loop_->Stop();
  EXPECT_EQ(held.use_count(), 1);
  loop_->Post([] { ADD_FAILURE() << "ran"; });
  Pipe pipe;
  ASSERT_OK_AND_ASSIGN(const uint64_t id, loop_->Watch(pipe.read.get(), [](uint64_t) {}));
  loop_->Unwatch(id);
}

}  // namespace
}  // namespace crisp
