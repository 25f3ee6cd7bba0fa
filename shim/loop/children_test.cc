#include "shim/loop/children.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>

#include "absl/time/clock.h"
#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

class ChildrenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_OK_AND_ASSIGN(children_, Children::Create(loop_.get()));
  }
  // Runs the loop until the child has ended.
  ProcessExit ExitOf(pid_t pid) {
    ProcessExit result;
    children_->OnExit(pid, [&](const ProcessExit& exit) {
      result = exit;
      loop_->Quit();
    });
    loop_->Run();
    return result;
  }

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Children> children_;
};

pid_t Fork(const std::function<void()>& child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    child();
    ::_exit(7);
  }
  return pid;
}

TEST_F(ChildrenTest, TellsTheExitCode) {
  const absl::Time before = absl::Now();
  const ProcessExit exit = ExitOf(Fork([] {}));
  EXPECT_EQ(exit.code, 7);
  EXPECT_GE(exit.at, before);
}

TEST_F(ChildrenTest, TellsTheSignal) {
  EXPECT_EQ(ExitOf(Fork([] { ::raise(SIGKILL); })).code, 128 + SIGKILL);
}

TEST_F(ChildrenTest, AnExitBeforeSomebodyAskedIsKept) {
  const pid_t pid = Fork([] {});
  ProcessExit result;
  loop_->After(absl::Milliseconds(100), [&] {
    EXPECT_EQ(::kill(pid, 0), -1) << "not reaped";
    children_->OnExit(pid, [&](const ProcessExit& exit) {
      result = exit;
      loop_->Quit();
    });
  });
  loop_->Run();
  EXPECT_EQ(result.code, 7);
}

TEST_F(ChildrenTest, WhoForgetsAnExitThatHasHappenedHearsNothing) {
  const pid_t pid = Fork([] {});
  bool told = false;
  loop_->After(absl::Milliseconds(100), [&] {
    EXPECT_EQ(::kill(pid, 0), -1) << "not reaped";
    children_->OnExit(pid, [&](const ProcessExit&) { told = true; });
    children_->Forget(pid);
    loop_->After(absl::Milliseconds(10), [&] { loop_->Quit(); });
  });
  loop_->Run();
  EXPECT_FALSE(told);
}

TEST_F(ChildrenTest, OrphansAreReaped) {
  std::array<int, 2> fds;
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const pid_t child = Fork([&] {
    const pid_t orphan = ::fork();
    if (orphan == 0) {
      ::usleep(50'000);
      ::_exit(3);
    }
    (void)!::write(fds[1], &orphan, sizeof(orphan));
  });
  pid_t orphan = 0;
  ASSERT_EQ(::read(fds[0], &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
  ::close(fds[0]);
  ::close(fds[1]);
  EXPECT_EQ(ExitOf(child).code, 7);
  int left = 100;
  while (::kill(orphan, 0) == 0 && --left > 0) {
    loop_->After(absl::Milliseconds(10), [&] { loop_->Quit(); });
    loop_->Run();
  }
  EXPECT_GT(left, 0) << "the orphan is still there";
}

}  // namespace
}  // namespace crisp::shim
