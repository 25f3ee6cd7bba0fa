#include "shim/io/container_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/io/process_io.h"
#include "shim/loop/run_until.h"

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;

constexpr size_t kTimeBytes = sizeof("2023-11-14T22:13:20.000000000Z");

class ContainerLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "log.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_OK_AND_ASSIGN(auto log, ContainerLog::Open(loop_.get(), dir_, "c/0.log"));
    log_ = log.get();
    io_ = std::make_unique<ProcessIo>(loop_.get(), false);
    ASSERT_OK(io_->AddLog(std::move(log)));
    ASSERT_OK(io_->AddInput());
    const auto fds = io_->child_fds();
    for (int i = 0; i < 3; ++i) process_[i] = UniqueFd(::fcntl(fds[i], F_DUPFD_CLOEXEC, 0));
    io_->CloseChildEnds();
  }
  void TearDown() override {
    io_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }
  void Write(int fd, absl::string_view text) {
    while (!text.empty()) {
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
      const ssize_t n = ::write(fd, text.data(), text.size());
      if (n > 0) text.remove_prefix(static_cast<size_t>(n));
      RunFor(loop_.get(), absl::ZeroDuration());
    }
    RunFor(loop_.get(), absl::Milliseconds(20));
  }
  std::vector<std::string> Records(const std::string& name = "c/0.log") {
    std::vector<std::string> records;
    const std::string text = ReadFile(JoinPath(dir_, name), 64 << 20).value_or("");
    for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      records.emplace_back(line.substr(std::min(kTimeBytes, line.size())));
    }
    return records;
  }
  UniqueFd Attach(LogStream stream, const std::string& name, const std::string& client = "") {
    const std::string path = JoinPath(dir_, name);
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_OK(log_->Attach(stream,
                           UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)),
                           client.empty() ? name : client));
    return reader;
  }
  // "fell behind", "detached", or "" as long as it is attached.
  std::string EndOf(const std::string& client) {
    auto end = std::make_shared<std::string>();
    log_->OnDetached(client,
                     [end](bool fell_behind) { *end = fell_behind ? "fell behind" : "detached"; });
    RunFor(loop_.get(), absl::Milliseconds(5));
    return *end;
  }
  UniqueFd AttachStdin(const std::string& name) {
    const std::string path = JoinPath(dir_, name);
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    UniqueFd fifo(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    UniqueFd writer(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_OK(io_->AttachStdin(std::move(fifo)));
    return writer;
  }
  // What is there now; "<end>" at the end.
  std::string Read(const UniqueFd& fd) {
    RunFor(loop_.get(), absl::Milliseconds(20));
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    std::string text;
    while (true) {
      char buffer[65536];
      const ssize_t n = ::read(fd.get(), buffer, sizeof(buffer));
      if (n == 0) return text + "<end>";
      if (n < 0) return text;
      text.append(buffer, static_cast<size_t>(n));
    }
  }

  std::string dir_;
  std::unique_ptr<Loop> loop_;
  ContainerLog* log_ = nullptr;
  std::unique_ptr<ProcessIo> io_;
  std::array<UniqueFd, 3> process_;
};

TEST_F(ContainerLogTest, BothStreamsAreLogged) {
  Write(process_[1].get(), "one\ntwo");
  Write(process_[2].get(), "oops\n");
  process_[1].reset();
  process_[2].reset();
  bool drained = false;
  io_->Drain(absl::Seconds(5), [&] { drained = true; });
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return drained; }));
  EXPECT_THAT(Records(), ElementsAre("stdout F one", "stderr F oops", "stdout P two"));
}

TEST_F(ContainerLogTest, ReopenSplitsNoLine) {
  Write(process_[1].get(), "one\nhalf ");
  ASSERT_EQ(::rename(JoinPath(dir_, "c/0.log").c_str(), JoinPath(dir_, "c/old").c_str()), 0);
  ASSERT_OK(log_->Reopen());
  Write(process_[1].get(), "a line\n");
  EXPECT_THAT(Records("c/old"), ElementsAre("stdout F one"));
  EXPECT_THAT(Records(), ElementsAre("stdout F half a line"));
}

TEST_F(ContainerLogTest, AnAttachedReaderGetsWhatFollowsAndTheEnd) {
  Write(process_[1].get(), "before\n");
  const UniqueFd out = Attach(LogStream::kStdout, "out", "both");
  const UniqueFd err = Attach(LogStream::kStderr, "err", "both");
  Write(process_[1].get(), "after\n");
  Write(process_[2].get(), "error\n");
  EXPECT_EQ(EndOf("both"), "");
  EXPECT_EQ(Read(out), "after\n");
  EXPECT_EQ(Read(err), "error\n");
  process_[1].reset();
  EXPECT_EQ(Read(out), "<end>");
  EXPECT_EQ(Read(err), "");
  EXPECT_EQ(EndOf("both"), "") << "one of two streams has ended";
  process_[2].reset();
  EXPECT_EQ(Read(err), "<end>");
  EXPECT_EQ(EndOf("both"), "detached");
  EXPECT_THAT(Records(), ElementsAre("stdout F before", "stdout F after", "stderr F error"));
}

TEST_F(ContainerLogTest, AReaderThatLeavesIsForgotten) {
  UniqueFd out = Attach(LogStream::kStdout, "out");
  out.reset();
  RunFor(loop_.get(), absl::Milliseconds(20));
  EXPECT_EQ(EndOf("out"), "detached");
  Write(process_[1].get(), "after\n");
  EXPECT_THAT(Records(), ElementsAre("stdout F after"));
}

TEST_F(ContainerLogTest, AStalledReaderIsDroppedAndTheContainerGoesOn) {
  const UniqueFd stalled = Attach(LogStream::kStdout, "stalled");
  // Half an output is worse than none.
  const UniqueFd with_it = Attach(LogStream::kStderr, "with-it", "stalled");
  const UniqueFd other = Attach(LogStream::kStdout, "other");
  std::string line(999, 'x');
  line += '\n';
  std::string all;
  std::string seen;
  const absl::Time began = absl::Now();
  for (int i = 0; i < 1000; ++i) {
    all += line;
    Write(process_[1].get(), line);
    seen += Read(other);
    if (absl::Now() - began > absl::Seconds(50)) FAIL() << "the container was held up";
    if (i == 200) i = 950;  // More than the FIFO holds has been written.
  }
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return Records().size() * 1000 == all.size(); }));
  seen += Read(other);
  EXPECT_EQ(seen.size(), all.size()) << "the reader beside it has lost something";
  const std::string kept = Read(stalled);
  EXPECT_LT(kept.size(), all.size());
  EXPECT_EQ(kept.substr(kept.size() - 5), "<end>");
  EXPECT_EQ(Read(with_it), "<end>");
  EXPECT_EQ(EndOf("other"), "");
  // Told once, whenever it is asked for.
  EXPECT_EQ(EndOf("stalled"), "fell behind");
  EXPECT_EQ(EndOf("stalled"), "detached");
}

TEST_F(ContainerLogTest, StdinStaysOpenBetweenClients) {
  UniqueFd first = AttachStdin("first");
  ASSERT_EQ(::write(first.get(), "one", 3), 3);
  EXPECT_EQ(Read(process_[0]), "one");
  first.reset();
  EXPECT_EQ(Read(process_[0]), "");
  UniqueFd second = AttachStdin("second");
  ASSERT_EQ(::write(second.get(), "two", 3), 3);
  EXPECT_EQ(Read(process_[0]), "two");
  io_->CloseStdin();
  EXPECT_EQ(Read(process_[0]), "<end>");
}

TEST_F(ContainerLogTest, StdinOnceEndsWithItsFirstClient) {
  io_->SetStdinOnce(true);
  UniqueFd first = AttachStdin("first");
  ASSERT_EQ(::write(first.get(), "one", 3), 3);
  first.reset();
  EXPECT_EQ(Read(process_[0]), "one<end>");
  EXPECT_FALSE(io_->has_stdin());
}

TEST_F(ContainerLogTest, WithoutAFileOutputCanStillBeAttached) {
  ASSERT_OK_AND_ASSIGN(auto log, ContainerLog::Open(loop_.get(), "", ""));
  EXPECT_TRUE(log->sink(LogStream::kStdout)->Take("nowhere\n"));
  EXPECT_OK(log->Reopen());
}

}  // namespace
}  // namespace crisp::shim
