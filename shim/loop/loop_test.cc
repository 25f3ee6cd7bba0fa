#include "shim/loop/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;

class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_EQ(::pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK), 0);
  }
  void TearDown() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  std::unique_ptr<Loop> loop_;
  std::array<int, 2> pipe_ = {-1, -1};
};

TEST_F(LoopTest, TimersRunInTheOrderOfTheirTimes) {
  std::vector<int> order;
  loop_->After(absl::Milliseconds(20), [&] {
    order.push_back(3);
    loop_->Quit();
  });
  loop_->After(absl::Milliseconds(10), [&] { order.push_back(2); });
  loop_->Post([&] { order.push_back(1); });
  const Loop::Id cancelled = loop_->After(absl::Milliseconds(5), [&] { order.push_back(9); });
  loop_->Cancel(cancelled);
  loop_->Run();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_F(LoopTest, AHandlerMayUnwatchItselfAndOthers) {
  ASSERT_EQ(::write(pipe_[1], "xy", 2), 2);
  int calls = 0;
  Loop::Id reader = 0;
  ASSERT_OK_AND_ASSIGN(const Loop::Id writer, loop_->Watch(pipe_[1], EPOLLOUT, [&](uint32_t) {
    ++calls;
    loop_->Unwatch(reader);
    loop_->Quit();
  }));
  ASSERT_OK_AND_ASSIGN(reader, loop_->Watch(pipe_[0], EPOLLIN, [&](uint32_t) {
    ++calls;
    loop_->Unwatch(writer);
    loop_->Unwatch(reader);
    loop_->Quit();
  }));
  loop_->Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(LoopTest, IdleIsCalledOnceAfterSomethingHappened) {
  int idle = 0;
  loop_->OnIdle([&] { ++idle; });
  loop_->scratch()[0] = 'x';
  loop_->Post([] {});
  loop_->After(absl::Milliseconds(400), [&] {
    EXPECT_EQ(idle, 1);
    EXPECT_EQ(loop_->scratch()[0], 0) << "the pages were not given back";
    loop_->Quit();
  });
  loop_->Run();
}

TEST_F(LoopTest, AnEndedPipeIsReported) {
  ::close(pipe_[1]);
  pipe_[1] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  uint32_t seen = 0;
  ASSERT_OK(loop_->Watch(pipe_[0], EPOLLIN, [&](uint32_t events) {
    seen = events;
    loop_->Quit();
  }));
  loop_->Run();
  EXPECT_NE(seen & EPOLLHUP, 0U);
}

}  // namespace
}  // namespace crisp::shim
