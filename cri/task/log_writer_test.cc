#include "cri/task/log_writer.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kTime[] = "2023-11-14T22:13:20.000000000Z";
constexpr size_t kMax = LogWriter::kMaxContent;

class LogWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "log.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::unique_ptr<LogWriter> Open(const std::string& path = "c/0.log") {
    auto writer = LogWriter::Open(dir_, path, &clock_);
    EXPECT_OK(writer);
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  // Records without their time, which is always the same here.
  std::vector<std::string> Records(const std::string& path = "c/0.log") {
    std::vector<std::string> records;
    auto text = ReadFile(JoinPath(dir_, path), 64 << 20);
    EXPECT_OK(text);
    if (!text.ok()) return records;
    EXPECT_TRUE(text->empty() || text->back() == '\n');
    for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
      EXPECT_TRUE(absl::StartsWith(line, absl::StrCat(kTime, " "))) << line.substr(0, 60);
      records.emplace_back(line.substr(sizeof(kTime)));
    }
    return records;
  }

  FakeClock clock_;
  std::string dir_;
};

TEST_F(LogWriterTest, WritesOneRecordALine) {
  auto log = Open();
  log->Write(LogStream::kStdout, "one\ntwo\n");
  log->Write(LogStream::kStderr, "three\n\n");
  EXPECT_THAT(Records(),
              ElementsAre("stdout F one", "stdout F two", "stderr F three", "stderr F "));
}

TEST_F(LogWriterTest, HoldsALineUntilItEnds) {
  auto log = Open();
  log->Write(LogStream::kStdout, "begin ");
  log->Write(LogStream::kStderr, "between\n");
  log->Write(LogStream::kStdout, "end\n");
  EXPECT_THAT(Records(), ElementsAre("stderr F between", "stdout F begin end"));
}

TEST_F(LogWriterTest, AnUnendedLineIsPartial) {
  auto log = Open();
  log->Write(LogStream::kStdout, "prompt> ");
  EXPECT_THAT(Records(), IsEmpty());
  log->Finish(LogStream::kStdout);
  log->Finish(LogStream::kStdout);
  EXPECT_THAT(Records(), ElementsAre("stdout P prompt> "));
}

TEST_F(LogWriterTest, DropsOneCarriageReturnBeforeTheNewline) {
  auto log = Open();
  log->Write(LogStream::kStdout, "a\r\nb\r\r\n\rc\n\r\n");
  log->Write(LogStream::kStdout, "d\r");
  log->Write(LogStream::kStdout, "\n");
  EXPECT_THAT(Records(),
              ElementsAre("stdout F a", "stdout F b\r", "stdout F \rc", "stdout F ", "stdout F d"));
}

TEST_F(LogWriterTest, KeepsNulBytes) {
  auto log = Open();
  log->Write(LogStream::kStdout, absl::string_view("a\0b\n", 4));
  EXPECT_THAT(Records(), ElementsAre(std::string("stdout F a\0b", 12)));
}

TEST_F(LogWriterTest, SplitsLongLines) {
  auto log = Open();
  const std::string full(kMax, 'x');
  log->Write(LogStream::kStdout, full + "\n" + full + "y\n" + full + full + "\n");
  EXPECT_THAT(Records(), ElementsAre("stdout F " + full, "stdout P " + full, "stdout F y",
                                     "stdout P " + full, "stdout F " + full));
}

// The same bytes make the same records, whatever the chunks were.
TEST_F(LogWriterTest, RecordsDoNotDependOnChunks) {
  std::string input;
  for (const size_t length : {kMax - 1, kMax, kMax + 1, 2 * kMax, 2 * kMax + 1}) {
    absl::StrAppend(&input, std::string(length, 'x'), "\n", std::string(length, 'y'), "\r\n",
                    std::string(length, 'z'), "\r");
  }
  auto whole = Open("whole.log");
  whole->Write(LogStream::kStdout, input);
  whole->Finish(LogStream::kStdout);
  const std::vector<std::string> expected = Records("whole.log");
  EXPECT_GT(expected.size(), 15u);
  for (const size_t chunk : {size_t{1}, size_t{7}, kMax - 1, kMax, kMax + 1, size_t{65536}}) {
    const std::string name = absl::StrCat("chunk", chunk, ".log");
    auto log = Open(name);
    for (size_t at = 0; at < input.size(); at += chunk) {
      log->Write(LogStream::kStdout, absl::string_view(input).substr(at, chunk));
    }
    log->Finish(LogStream::kStdout);
    EXPECT_EQ(Records(name), expected) << "in chunks of " << chunk;
  }
}

TEST_F(LogWriterTest, MakesDirectoriesAndAFileOfItsMode) {
  const mode_t umask_before = ::umask(0077);
  auto log = Open("web/3.log");
  ::umask(umask_before);
  struct stat st;
  ASSERT_EQ(::stat(JoinPath(dir_, "web").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0755u);
  ASSERT_EQ(::stat(JoinPath(dir_, "web/3.log").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
}

TEST_F(LogWriterTest, AppendsToAFileThatIsThere) {
  Open()->Write(LogStream::kStdout, "before\n");
  Open()->Write(LogStream::kStdout, "after\n");
  EXPECT_THAT(Records(), ElementsAre("stdout F before", "stdout F after"));
}

TEST_F(LogWriterTest, RefusesPathsThatLeave) {
  for (const char* path : {"", "/etc/x", "../x", "a/../../x", "a//b", "."}) {
    EXPECT_THAT(LogWriter::Open(dir_, path), StatusIs(absl::StatusCode::kInvalidArgument)) << path;
  }
  EXPECT_THAT(LogWriter::Open("relative", "x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LogWriterTest, RefusesSymlinksFifosAndDirectories) {
  const std::string victim = JoinPath(dir_, "victim");
  ASSERT_OK(WriteFileAtomic(victim, "secret", 0600));
  ASSERT_EQ(::symlink(victim.c_str(), JoinPath(dir_, "link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", JoinPath(dir_, "dangling").c_str()), 0);
  ASSERT_EQ(::symlink("/tmp", JoinPath(dir_, "linkdir").c_str()), 0);
  ASSERT_EQ(::mkfifo(JoinPath(dir_, "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(JoinPath(dir_, "dir").c_str(), 0700), 0);
  for (const char* path : {"link", "dangling", "linkdir/x", "fifo", "dir"}) {
    EXPECT_FALSE(LogWriter::Open(dir_, path).ok()) << path;
  }
  EXPECT_NE(::access("/tmp/x", F_OK), 0);
  EXPECT_THAT(ReadFile(victim), IsOkAndHolds("secret"));
  // A FIFO with a reader can be opened, and is still not a file.
  UniqueFd reader(::open(JoinPath(dir_, "fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_THAT(LogWriter::Open(dir_, "fifo"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("regular")));
}

TEST_F(LogWriterTest, ReopenGoesOnInANewFileAndSplitsNoLine) {
  auto log = Open();
  log->Write(LogStream::kStdout, "old\nhalf ");
  const std::string path = JoinPath(dir_, "c/0.log");
  ASSERT_EQ(::rename(path.c_str(), (path + ".1").c_str()), 0);
  log->Write(LogStream::kStderr, "still old\n");
  ASSERT_OK(log->Reopen());
  log->Write(LogStream::kStdout, "line\n");
  EXPECT_THAT(Records("c/0.log.1"), ElementsAre("stdout F old", "stderr F still old"));
  EXPECT_THAT(Records(), ElementsAre("stdout F half line"));
}

TEST_F(LogWriterTest, ReopenOfAnUnmovedFileChangesNothing) {
  auto log = Open();
  log->Write(LogStream::kStdout, "a\n");
  ASSERT_OK(log->Reopen());
  log->Write(LogStream::kStdout, "b\n");
  EXPECT_THAT(Records(), ElementsAre("stdout F a", "stdout F b"));
}

TEST_F(LogWriterTest, FailedReopenKeepsTheOldFile) {
  auto log = Open();
  const std::string path = JoinPath(dir_, "c/0.log");
  ASSERT_EQ(::rename(path.c_str(), (path + ".1").c_str()), 0);
  ASSERT_EQ(::symlink("../elsewhere", path.c_str()), 0);
  EXPECT_FALSE(log->Reopen().ok());
  log->Write(LogStream::kStdout, "goes on\n");
  EXPECT_THAT(Records("c/0.log.1"), ElementsAre("stdout F goes on"));
  EXPECT_NE(::access(JoinPath(dir_, "elsewhere").c_str(), F_OK), 0);
}

// The directory was opened once: swapping it for a link does not redirect us.
TEST_F(LogWriterTest, ReopenStaysInTheDirectoryItKnows) {
  const std::string logs = JoinPath(dir_, "logs");
  auto log = LogWriter::Open(logs, "0.log", &clock_);
  ASSERT_OK(log);
  ASSERT_EQ(::rename(logs.c_str(), (logs + ".moved").c_str()), 0);
  ASSERT_EQ(::mkdir(JoinPath(dir_, "target").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("target", logs.c_str()), 0);
  ASSERT_EQ(::unlink((logs + ".moved/0.log").c_str()), 0);
  ASSERT_OK((*log)->Reopen());
  EXPECT_EQ(::access((logs + ".moved/0.log").c_str(), F_OK), 0);
  EXPECT_NE(::access(JoinPath(dir_, "target/0.log").c_str(), F_OK), 0);
}

TEST_F(LogWriterTest, WritersAndReopenersDoNotDisturbEachOther) {
  auto log = Open();
  const std::string path = JoinPath(dir_, "c/0.log");
  constexpr int kLines = 2000;
  std::thread out([&] {
    for (int i = 0; i < kLines; ++i) log->Write(LogStream::kStdout, "0123456789\n");
  });
  std::thread err([&] {
    for (int i = 0; i < kLines; ++i) log->Write(LogStream::kStderr, "abcdefghij\n");
  });
  constexpr int kRotations = 20;
  for (int i = 0; i < kRotations; ++i) {
    ASSERT_EQ(::rename(path.c_str(), absl::StrCat(path, ".", i).c_str()), 0);
    ASSERT_OK(log->Reopen());
  }
  out.join();
  err.join();
  size_t records = Records().size();
  for (int i = 0; i < kRotations; ++i) {
    for (const std::string& record : Records(absl::StrCat("c/0.log.", i))) {
      EXPECT_TRUE(record == "stdout F 0123456789" || record == "stderr F abcdefghij") << record;
      ++records;
    }
  }
  EXPECT_EQ(records, 2u * kLines);
}

// In a mount namespace of this thread's own: a file system of 64 KiB.
TEST_F(LogWriterTest, AFullDiskDropsWholeRecordsAndNeverBlocks) {
  std::string skip;
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", dir_.c_str(), "tmpfs", 0, "size=64k") != 0) {
      skip = absl::StrCat("needs a mount namespace: ", ErrnoName(errno));
      return;
    }
    {
      auto log = Open("0.log");
      ASSERT_NE(log, nullptr);
      const std::string line(999, 'x');
      for (int i = 0; i < 200; ++i) log->Write(LogStream::kStdout, line + "\n");
      const uint64_t dropped = log->dropped_records();
      EXPECT_GT(dropped, 100u);
      std::vector<std::string> records = Records("0.log");
      EXPECT_EQ(records.size() + dropped, 200u);
      for (const std::string& record : records) EXPECT_EQ(record, "stdout F " + line);

      // Space again, as after a rotation.
      ASSERT_EQ(::rename(JoinPath(dir_, "0.log").c_str(), JoinPath(dir_, "1.log").c_str()), 0);
      ASSERT_EQ(::unlink(JoinPath(dir_, "1.log").c_str()), 0);
      ASSERT_OK(log->Reopen());
      log->Write(LogStream::kStdout, "back\n");
      EXPECT_THAT(Records("0.log"), ElementsAre("stdout F back"));
      EXPECT_EQ(log->dropped_records(), dropped);
    }
    EXPECT_EQ(::umount(dir_.c_str()), 0);
  }).join();
  if (!skip.empty()) GTEST_SKIP() << skip;
}

}  // namespace
}  // namespace crisp::cri
