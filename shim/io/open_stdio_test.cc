#include "shim/io/open_stdio.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/loop/run_until.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

class OpenStdioTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "stdio.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_OK_AND_ASSIGN(children_, Children::Create(loop_.get()));
  }
  void TearDown() override {
    io_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }
  std::string Fifo(const std::string& name) {
    const std::string path = JoinPath(dir_, name);
    EXPECT_EQ(::mkfifo(path.c_str(), 0700), 0);
    return path;
  }
  absl::Status Open(const std::string& in, const std::string& out, const std::string& err,
                    bool terminal = false) {
    Stdio stdio;
    stdio.in = in;
    stdio.out = out;
    stdio.err = err;
    stdio.terminal = terminal;
    stdio.container_id = "web";
    stdio.container_namespace = "k8s.io";
    auto io = OpenStdio(loop_.get(), children_.get(), stdio);
    if (!io.ok()) return io.status();
    io_ = *std::move(io);
    return absl::OkStatus();
  }
  // The process's own descriptors, as a launch would take them.
  void TakeChildEnds() {
    const auto fds = io_->child_fds();
    for (int i = 0; i < 3; ++i) {
      process_[i] = UniqueFd(fds[i] < 0 ? -1 : ::fcntl(fds[i], F_DUPFD_CLOEXEC, 0));
    }
    io_->CloseChildEnds();
    EXPECT_OK(io_->OpenInput());
  }
  void Write(int fd, const std::string& text) {
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // What can be read until nothing has come for a moment.
  std::string Read(int fd) {
    std::string text;
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    ended_ = false;
    (void)RunUntil(
        loop_.get(),
        [&] {
          char buffer[65536];
          const ssize_t n = ::read(fd, buffer, sizeof(buffer));
          if (n > 0) text.append(buffer, static_cast<size_t>(n));
          ended_ = n == 0;
          return ended_;
        },
        absl::Milliseconds(150));
    return text;
  }
  bool Drained(absl::Duration bound = absl::Seconds(5)) {
    bool drained = false;
    io_->Drain(bound, [&] { drained = true; });
    return RunUntil(loop_.get(), [&] { return drained; });
  }

  std::string dir_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<ProcessIo> io_;
  std::array<UniqueFd, 3> process_;
  bool ended_ = false;  // The last Read saw the end.
};

TEST_F(OpenStdioTest, NoStreams) {
  ASSERT_OK(Open("", "", ""));
  EXPECT_THAT(io_->child_fds(), ::testing::Each(-1));
  EXPECT_TRUE(Drained());
}

TEST_F(OpenStdioTest, OutputFifosReachTheClientAndEnd) {
  const std::string out = Fifo("out"), err = Fifo("err");
  ASSERT_OK(Open("", out, err));
  TakeChildEnds();
  EXPECT_FALSE(process_[0].ok());
  const UniqueFd out_client(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const UniqueFd err_client(::open(err.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Write(process_[1].get(), "to stdout");
  Write(process_[2].get(), "to stderr");
  EXPECT_EQ(Read(out_client.get()), "to stdout");
  EXPECT_EQ(Read(err_client.get()), "to stderr");
  EXPECT_FALSE(ended_);
  process_ = {};
  EXPECT_TRUE(Drained());
  EXPECT_EQ(Read(out_client.get()), "");
  EXPECT_TRUE(ended_) << "the client does not see the end";
}

TEST_F(OpenStdioTest, AClientThatGoesAndComesBackBreaksNothing) {
  const std::string out = Fifo("out");
  ASSERT_OK(Open("", out, ""));
  TakeChildEnds();
  UniqueFd client(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Write(process_[1].get(), "one");
  EXPECT_EQ(Read(client.get()), "one");
  client.reset();
  Write(process_[1].get(), "two");
  RunFor(loop_.get(), absl::Milliseconds(20));
  client = UniqueFd(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Write(process_[1].get(), "three");
  EXPECT_EQ(Read(client.get()), "twothree");
}

TEST_F(OpenStdioTest, AFullFifoHoldsTheProcessBackAndLosesNothing) {
  const std::string out = Fifo("out");
  ASSERT_OK(Open("", out, ""));
  TakeChildEnds();
  const UniqueFd client(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ::fcntl(process_[1].get(), F_SETFL, O_NONBLOCK);
  std::string sent;
  int full = 0;
  while (full < 20) {
    const std::string chunk(4096, static_cast<char>('a' + sent.size() / 4096 % 26));
    const ssize_t n = ::write(process_[1].get(), chunk.data(), chunk.size());
    if (n > 0) {
      sent.append(chunk.data(), static_cast<size_t>(n));
      full = 0;
    } else {
      ++full;
    }
    RunFor(loop_.get(), absl::Milliseconds(1));
    ASSERT_LT(sent.size(), 4U << 20) << "nothing holds it back";
  }
  process_ = {};
  std::string got;
  while (true) {
    const std::string more = Read(client.get());
    got += more;
    if (ended_ || more.empty()) break;
  }
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes";
}

TEST_F(OpenStdioTest, StdinEndsOnlyAfterCloseIO) {
  const std::string in = Fifo("in");
  ASSERT_OK(Open(in, "", ""));
  TakeChildEnds();
  UniqueFd client(::open(in.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(client.ok());
  Write(client.get(), "hello");
  EXPECT_EQ(Read(process_[0].get()), "hello");
  client.reset();
  EXPECT_EQ(Read(process_[0].get()), "");
  EXPECT_FALSE(ended_) << "ended because a client left";
  client = UniqueFd(::open(in.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  Write(client.get(), "again");
  io_->CloseStdin();
  client.reset();
  EXPECT_EQ(Read(process_[0].get()), "again");
  EXPECT_TRUE(ended_);
}

TEST_F(OpenStdioTest, AFileTakesBothStreams) {
  const std::string path = JoinPath(dir_, "deep/er/log");
  ASSERT_OK(Open("", absl::StrCat("file://", path), absl::StrCat("file://", path)));
  TakeChildEnds();
  Write(process_[1].get(), "out\n");
  RunFor(loop_.get(), absl::Milliseconds(20));
  Write(process_[2].get(), "err\n");
  process_ = {};
  EXPECT_TRUE(Drained());
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(std::string("out\nerr\n")));
}

TEST_F(OpenStdioTest, ALoggingProgramGetsTheStreams) {
  const std::string log = JoinPath(dir_, "log"), program = JoinPath(dir_, "logger");
  ASSERT_OK(WriteFileAtomic(program,
                            absl::StrCat("#!/bin/sh\n"
                                         "exec 5>&-\n"
                                         "echo \"$CONTAINER_ID $CONTAINER_NAMESPACE $*\" >",
                                         log, "\ncat <&3 >>", log, "\ncat <&4 >>", log, "\n"),
                            0755));
  ASSERT_OK(Open("", absl::StrCat("binary://", program, "?level=a%20b&x"), ""));
  absl::Status ready = absl::UnknownError("");
  io_->OnReady([&](absl::Status status) { ready = status; });
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return ready.code() != absl::StatusCode::kUnknown; }));
  ASSERT_OK(ready);
  TakeChildEnds();
  Write(process_[1].get(), "out\n");
  Write(process_[2].get(), "err\n");
  process_ = {};
  EXPECT_TRUE(Drained());
  EXPECT_TRUE(RunUntil(loop_.get(), [&] {
    return ReadFile(log).value_or("") == "web k8s.io level a b x\nout\nerr\n";
  })) << ReadFile(log).value_or("");
}

TEST_F(OpenStdioTest, ALoggingProgramMustGetReady) {
  ASSERT_OK(Open("", "binary-v2:///bin/true", ""));
  absl::Status ready = absl::UnknownError("");
  io_->OnReady([&](absl::Status status) { ready = status; });
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return ready.code() != absl::StatusCode::kUnknown; }));
  EXPECT_THAT(ready, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Open("", "binary:///no/such/logger", ""), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(OpenStdioTest, OtherSchemesAreRefused) {
  EXPECT_THAT(Open("", "ttrpc+unix:///run/x", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ttrpc+unix")));
  EXPECT_THAT(Open("", "/no/such/fifo", ""),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("stdout")));
}

TEST_F(OpenStdioTest, ATerminalCarriesBothWaysAndResizes) {
  const std::string in = Fifo("in"), out = Fifo("out");
  ASSERT_OK(Open(in, out, "", /*terminal=*/true));
  EXPECT_THAT(io_->child_fds(), ::testing::Each(-1));
  int master = -1, slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  termios raw;
  ::tcgetattr(slave, &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(slave, TCSANOW, &raw);
  const UniqueFd reader(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  io_->CloseChildEnds();
  ASSERT_OK(io_->SetConsole(UniqueFd(master)));
  ASSERT_OK(io_->OpenInput());
  const UniqueFd writer(::open(in.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_OK(io_->Resize(123, 45));
  winsize size = {};
  ASSERT_EQ(::ioctl(slave, TIOCGWINSZ, &size), 0);
  EXPECT_EQ(size.ws_col, 123);
  EXPECT_EQ(size.ws_row, 45);
  Write(slave, "from the process");
  EXPECT_EQ(Read(reader.get()), "from the process");
  Write(writer.get(), "from the client");
  EXPECT_EQ(Read(slave), "from the client");
  Write(slave, "last words");
  ::close(slave);
  EXPECT_TRUE(Drained());
  EXPECT_EQ(Read(reader.get()), "last words");
  EXPECT_TRUE(ended_);
}

TEST_F(OpenStdioTest, DrainIsBounded) {
  const std::string out = Fifo("out");
  ASSERT_OK(Open("", out, ""));
  TakeChildEnds();
  const UniqueFd client(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  Write(process_[1].get(), "something");
  const absl::Time began = absl::Now();
  EXPECT_TRUE(Drained(absl::Milliseconds(100)));  // process_ is still open.
  EXPECT_LT(absl::Now() - began, absl::Seconds(3));
  EXPECT_EQ(Read(client.get()), "something");
  EXPECT_TRUE(ended_);
}

}  // namespace
}  // namespace crisp::shim
