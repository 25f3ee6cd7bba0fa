#include "cri/task/attachments.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

constexpr SessionStreams kBoth = {.stdout = true, .stderr = true};

class AttachmentsTest : public ::testing::Test {
 protected:
  // As crispd does: a reader that has gone is an error, not a signal.
  static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }

  // What is there now; "<end>" behind it if that was the end.
  static std::string Read(int fd) {
    std::string all;
    char buffer[4096];
    while (true) {
      const ssize_t n = ::read(fd, buffer, sizeof(buffer));
      if (n == 0) return all + "<end>";
      if (n < 0) return all;
      all.append(buffer, static_cast<size_t>(n));
    }
  }

  Attachments all_;
};

TEST_F(AttachmentsTest, EveryReaderGetsWhatComesAfterItJoined) {
  all_.Write(LogStream::kStdout, "before");
  ASSERT_OK_AND_ASSIGN(const auto first, Attachment::Make(kBoth));
  all_.Add(first);
  all_.Write(LogStream::kStdout, "one");
  ASSERT_OK_AND_ASSIGN(const auto second, Attachment::Make({.stdout = true}));
  all_.Add(second);
  all_.Write(LogStream::kStdout, "two");
  all_.Write(LogStream::kStderr, "oops");
  EXPECT_EQ(Read(first->stdout_fd()), "onetwo");
  EXPECT_EQ(Read(first->stderr_fd()), "oops");
  EXPECT_EQ(Read(second->stdout_fd()), "two");
  EXPECT_EQ(second->stderr_fd(), -1);
  all_.End(LogStream::kStdout);
  EXPECT_EQ(Read(first->stdout_fd()), "<end>");
  EXPECT_EQ(Read(first->stderr_fd()), "");
}

TEST_F(AttachmentsTest, AReaderThatStallsIsDroppedAndTheOthersAreNot) {
  ASSERT_OK_AND_ASSIGN(const auto stalled, Attachment::Make(kBoth));
  ASSERT_OK_AND_ASSIGN(const auto reading, Attachment::Make(kBoth));
  all_.Add(stalled);
  all_.Add(reading);
  const std::string chunk(64 << 10, 'x');
  size_t got = 0;
  for (int i = 0; i < 64; ++i) {
    all_.Write(LogStream::kStdout, chunk);
    got += Read(reading->stdout_fd()).size();
  }
  EXPECT_EQ(got, chunk.size() * 64);
  EXPECT_FALSE(reading->fell_behind());
  EXPECT_TRUE(stalled->fell_behind());
  // What it was given in time is still there for it, and no more.
  const std::string late = Read(stalled->stdout_fd());
  EXPECT_LE(late.size(), (1u << 20) + 5);
  EXPECT_EQ(late.substr(late.size() - 5), "<end>");
  EXPECT_EQ(Read(stalled->stderr_fd()), "<end>");
}

TEST_F(AttachmentsTest, AReaderThatLeftIsForgotten) {
  ASSERT_OK_AND_ASSIGN(auto gone, Attachment::Make(kBoth));
  all_.Add(gone);
  gone.reset();
  all_.Write(LogStream::kStdout, "nobody");
  ASSERT_OK_AND_ASSIGN(auto closed, Attachment::Make(kBoth));
  all_.Add(closed);
  closed->Close();
  all_.Write(LogStream::kStdout, "nobody");
  EXPECT_EQ(Read(closed->stdout_fd()), "<end>");
}

TEST_F(AttachmentsTest, TheEndIsToldOnce) {
  ASSERT_OK_AND_ASSIGN(const auto reader, Attachment::Make(kBoth));
  all_.Add(reader);
  int told = 0, code = -1;
  reader->notice().OnExit([&](const absl::StatusOr<int>& exit_code) {
    ++told;
    code = exit_code.value_or(-1);
  });
  all_.Exit(7);
  all_.Exit(8);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(code, 7);
  all_.End(LogStream::kStdout);
  all_.End(LogStream::kStderr);
  ASSERT_OK_AND_ASSIGN(const auto late, Attachment::Make(kBoth));
  all_.Add(late);
  EXPECT_EQ(Read(late->stdout_fd()), "<end>");
  EXPECT_EQ(Read(late->stderr_fd()), "<end>");
}

}  // namespace
}  // namespace crisp::cri
