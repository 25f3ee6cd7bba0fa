#include "cri/task/container_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ContainerIoTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "io.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, IoLoop::Create());
    ASSERT_OK_AND_ASSIGN(parent_, IoDirectory::Open(JoinPath(dir_, "io")));
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::unique_ptr<LogWriter> Log() {
    auto log = LogWriter::Open(dir_, "0.log");
    EXPECT_OK(log);
    return *std::move(log);
  }
  std::string LogText() { return ReadFile(JoinPath(dir_, "0.log")).value_or(""); }
  // As a shim does: both ends, so that it survives our restart.
  struct ShimEnds {
    explicit ShimEnds(const std::string& path)
        : write(::open(path.c_str(), O_WRONLY | O_CLOEXEC)),
          read(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
    UniqueFd write, read;
  };

  std::string dir_;
  std::unique_ptr<IoLoop> loop_;
  IoDirectory parent_;
};

TEST_F(ContainerIoTest, LogsWhatTheContainerWritesAndSeesItsEnd) {
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", {}, Log()));
  EXPECT_EQ(io->stdin_path(), "");
  absl::Notification drained;
  {
    ShimEnds out(io->stdout_path()), err(io->stderr_path());
    io->OnDrained([&] { drained.Notify(); });
    ASSERT_EQ(::write(out.write.get(), "hello\ntail", 10), 10);
    ASSERT_EQ(::write(err.write.get(), "oops\n", 5), 5);
    EXPECT_FALSE(drained.WaitForNotificationWithTimeout(absl::Milliseconds(50)));
  }
  ASSERT_TRUE(drained.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_THAT(LogText(), HasSubstr(" stdout F hello\n"));
  EXPECT_THAT(LogText(), HasSubstr(" stdout P tail\n"));
  EXPECT_THAT(LogText(), HasSubstr(" stderr F oops\n"));
  bool at_once = false;
  io->OnDrained([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

TEST_F(ContainerIoTest, FifosArePrivate) {
  ContainerIo::Options options;
  options.tty = true;
  options.stdin = true;
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", options, nullptr));
  EXPECT_EQ(io->stderr_path(), "");
  struct stat st;
  for (const std::string& path : {io->stdin_path(), io->stdout_path()}) {
    ASSERT_EQ(::stat(path.c_str(), &st), 0);
    EXPECT_TRUE(S_ISFIFO(st.st_mode));
    EXPECT_EQ(st.st_mode & 0777, 0600u);
  }
  ASSERT_EQ(::stat(JoinPath(parent_.path, "c").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
}

TEST_F(ContainerIoTest, OneContainerOneDirectory) {
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", {}, nullptr));
  EXPECT_THAT(ContainerIo::Create(loop_.get(), parent_, "c", {}, nullptr),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(::access(io->stdout_path().c_str(), F_OK), 0);
  EXPECT_OK(ContainerIo::Remove(parent_, "c"));
  EXPECT_OK(ContainerIo::Remove(parent_, "c"));
  EXPECT_THAT(ContainerIo::Adopt(loop_.get(), parent_, "c", {}, nullptr),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ContainerIoTest, ASuccessorReadsOnWithoutLosingALine) {
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", {}, Log()));
  ShimEnds out(io->stdout_path());
  ASSERT_EQ(::write(out.write.get(), "one\ntw", 6), 6);
  while (!absl::StrContains(LogText(), "one")) absl::SleepFor(absl::Milliseconds(1));
  io.reset();
  ASSERT_EQ(::write(out.write.get(), "o\nthree\n", 8), 8);
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_THAT(LogText(), Not(HasSubstr("three")));
  ASSERT_OK_AND_ASSIGN(io, ContainerIo::Adopt(loop_.get(), parent_, "c", {}, Log()));
  while (!absl::StrContains(LogText(), "three")) absl::SleepFor(absl::Milliseconds(1));
  // The line that was cut is one line to a reader: P joins the record after it.
  EXPECT_THAT(LogText(), HasSubstr(" stdout P tw\n"));
  EXPECT_THAT(LogText(), HasSubstr(" stdout F o\n"));
}

TEST_F(ContainerIoTest, CloseTakesWhatIsLeftThoughAWriterStays) {
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", {}, Log()));
  ShimEnds out(io->stdout_path());
  ASSERT_EQ(::write(out.write.get(), "last words", 10), 10);
  io->Close();
  EXPECT_THAT(LogText(), HasSubstr(" stdout P last words\n"));
}

TEST_F(ContainerIoTest, WithoutALogOutputIsReadAndDropped) {
  ASSERT_OK_AND_ASSIGN(auto io, ContainerIo::Create(loop_.get(), parent_, "c", {}, nullptr));
  absl::Notification drained;
  io->OnDrained([&] { drained.Notify(); });
  {
    ShimEnds out(io->stdout_path()), err(io->stderr_path());
    out.read.reset();
    const std::string chunk(1 << 20, 'x');
    EXPECT_OK(WriteAll(out.write.get(), chunk));
  }
  ASSERT_TRUE(drained.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_THAT(io->ReopenLog(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace crisp::cri
