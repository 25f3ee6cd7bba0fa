#include "shim/client/shim_process.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Stands in for the shim: tells what it was given, tries to change itself, and stays.
constexpr char kProgram[] = R"(#!/bin/sh
cd "$4" || exit 1
echo "$*" > args
ls -l /proc/self/fd > fds
pwd -P > /dev/null
if echo '# changed' >> "$0"; then echo yes > changed; else echo no > changed; fi
: > ready
exec sleep 1000
)";

class ShimProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: makes mounts";
    std::string pattern = JoinPath(::testing::TempDir(), "process.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    program_ = JoinPath(dir_, "program");
    ASSERT_OK(WriteFileAtomic(program_, kProgram, 0755));
    state_ = JoinPath(dir_, "state");
    ASSERT_OK(MakeDirs(state_, 0700));
  }
  void TearDown() override {
    if (dir_.empty()) return;
    EXPECT_OK(RemoveTree(dir_));
  }
  std::string Await(const std::string& name) {
    for (int i = 0; i < 2000; ++i) {
      if (::access(JoinPath(state_, "ready").c_str(), F_OK) == 0) break;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return ReadFile(JoinPath(state_, name)).value_or("(nothing)");
  }

  std::string dir_, program_, state_;
};

TEST_F(ShimProcessTest, StartsWithTheSocketAndNothingElse) {
  ASSERT_OK_AND_ASSIGN(const ShimBinary binary, ShimBinary::Open(program_));
  ASSERT_OK_AND_ASSIGN(const ShimProcess process, ShimProcess::Spawn(binary, state_, "pod1"));
  EXPECT_EQ(Await("args"), absl::StrCat("-id pod1 -state ", state_, " -socket-fd 3 serve\n"));
  EXPECT_THAT(Await("fds"), HasSubstr("3 -> socket:"));
  EXPECT_THAT(Await("fds"), HasSubstr("0 -> /dev/null"));
  EXPECT_THAT(Await("fds"), Not(HasSubstr(program_)));
  EXPECT_EQ(::getsid(process.pid()), process.pid());
  struct stat st;
  ASSERT_EQ(::stat(JoinPath(state_, "socket").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode, static_cast<mode_t>(S_IFSOCK | 0600));

  ASSERT_OK_AND_ASSIGN(const ShimProcess found, ShimProcess::Find(state_));
  EXPECT_EQ(found.pid(), process.pid());
  EXPECT_FALSE(found.AwaitEnd(absl::Milliseconds(1)));
  found.Kill();
  EXPECT_TRUE(process.AwaitEnd(absl::Seconds(10)));
  EXPECT_NE(::kill(process.pid(), 0), 0);  // Reaped.
  EXPECT_THAT(ShimProcess::Find(state_), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ShimProcessTest, CannotChangeItsOwnProgram) {
  ASSERT_OK_AND_ASSIGN(const ShimBinary binary, ShimBinary::Open(program_));
  ASSERT_OK_AND_ASSIGN(const ShimProcess process, ShimProcess::Spawn(binary, state_, "pod1"));
  EXPECT_EQ(Await("changed"), "no\n");
  process.Kill();
  EXPECT_TRUE(process.AwaitEnd(absl::Seconds(10)));
  EXPECT_THAT(ReadFile(program_), IsOkAndHolds(kProgram));
}

TEST_F(ShimProcessTest, AStrangerWithThePidIsNotFound) {
  // This process lives, and did not start then.
  ASSERT_OK(WriteFileAtomic(JoinPath(state_, "process"), absl::StrCat(::getpid(), " 1\n"), 0600));
  EXPECT_THAT(ShimProcess::Find(state_), StatusIs(absl::StatusCode::kNotFound));
  for (const char* damaged : {"", "x y\n", "0 1\n", "12"}) {
    ASSERT_OK(WriteFileAtomic(JoinPath(state_, "process"), damaged, 0600));
    EXPECT_THAT(ShimProcess::Find(state_), StatusIs(absl::StatusCode::kNotFound)) << damaged;
  }
}

TEST_F(ShimProcessTest, WhatIsNoProgramIsRefused) {
  EXPECT_EQ(ErrnoOf(ShimBinary::Open(JoinPath(dir_, "absent")).status()), ENOENT);
  EXPECT_THAT(ShimBinary::Open(dir_), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_EQ(::chmod(program_.c_str(), 0644), 0);
  EXPECT_THAT(ShimBinary::Open(program_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace crisp::shim
