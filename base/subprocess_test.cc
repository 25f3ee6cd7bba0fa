#include "base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp {
namespace {

ProcessSpec Shell(const std::string& script) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  spec.timeout = absl::Seconds(20);
  return spec;
}

TEST(SubprocessTest, GivesBackOutputErrorsAndExitCode) {
  ProcessSpec spec = Shell("cat; echo oops >&2; exit 3");
  spec.stdin_data = "hello";
  ASSERT_OK_AND_ASSIGN(const ProcessResult result, RunProcess(spec));
  EXPECT_EQ(result.out, "hello");
  EXPECT_EQ(result.err, "oops\n");
  EXPECT_EQ(result.exit_code, 3);
}

TEST(SubprocessTest, NothingIsInherited) {
  const UniqueFd leaked(::open("/", O_RDONLY));  // Without O_CLOEXEC, on purpose.
  ProcessSpec spec = Shell("ls /proc/self/fd | wc -l; echo \"$HOME-$ONLY\"");
  spec.environment = {"ONLY=this", "PATH=/usr/bin:/bin"};
  ASSERT_OK_AND_ASSIGN(const ProcessResult result, RunProcess(spec));
  // 0, 1, 2 and the directory that ls itself reads.
  EXPECT_EQ(result.out, "4\n-this\n");
}

TEST(SubprocessTest, AHungChildIsKilledWithItsChildren) {
  ProcessSpec spec = Shell("sleep 1000 & echo $!; sleep 1000");
  const std::string file = ::testing::TempDir() + "/pid";
  spec.argv[2] = "sleep 1000 & echo $! > " + file + "; wait";
  spec.environment = {"PATH=/usr/bin:/bin"};
  spec.timeout = absl::Milliseconds(300);
  const absl::Time start = absl::Now();
  EXPECT_THAT(RunProcess(spec), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  FILE* f = ::fopen(file.c_str(), "r");
  ASSERT_NE(f, nullptr);
  int pid = 0;
  ASSERT_EQ(::fscanf(f, "%d", &pid), 1);
  ::fclose(f);
  // Killed; at most a zombie that init has not reaped yet.
  for (int i = 0; i < 100 && ::kill(pid, 0) == 0; ++i) absl::SleepFor(absl::Milliseconds(20));
  char state = 'X';
  if (FILE* stat = ::fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "r")) {
    ASSERT_EQ(::fscanf(stat, "%*d %*s %c", &state), 1);
    ::fclose(stat);
  }
  EXPECT_TRUE(state == 'X' || state == 'Z') << state;
}

TEST(SubprocessTest, EndlessOutputIsBounded) {
  ProcessSpec spec = Shell("exec yes");
  spec.environment = {"PATH=/usr/bin:/bin"};
  EXPECT_THAT(RunProcess(spec), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(SubprocessTest, AGrandchildThatKeepsThePipeDoesNotHoldUs) {
  ProcessSpec spec = Shell("echo done; sleep 5 &");
  spec.environment = {"PATH=/usr/bin:/bin"};
  const absl::Time start = absl::Now();
  ASSERT_OK_AND_ASSIGN(const ProcessResult result, RunProcess(spec));
  EXPECT_EQ(result.out, "done\n");
  EXPECT_LT(absl::Now() - start, absl::Seconds(4));
}

// A child that ended before it was fed ended us, too, where SIGPIPE was not ignored.
TEST(SubprocessTest, AChildThatReadsNothingHarmsNobody) {
  ProcessSpec spec{.argv = {"/bin/true"}};
  spec.stdin_data.assign(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(const ProcessResult result, RunProcess(spec));
    EXPECT_EQ(result.exit_code, 0);
  }
}

TEST(SubprocessTest, MissingBinary) {
  ProcessSpec spec;
  spec.argv = {"/nonexistent/plugin"};
  EXPECT_EQ(ErrnoOf(RunProcess(spec).status()), ENOENT);
  spec.argv = {"relative"};
  EXPECT_THAT(RunProcess(spec), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SubprocessTest, DeathBySignalCountsAsShellsDo) {
  ASSERT_OK_AND_ASSIGN(const ProcessResult result, RunProcess(Shell("kill -9 $$")));
  EXPECT_EQ(result.exit_code, 137);
}

}  // namespace
}  // namespace crisp
