#include "cri/task/session_fifos.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "absl/time/clock.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

class SessionFifosTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "session.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(parent_, IoDirectory::Open(JoinPath(dir_, "exec")));
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::string dir_;
  IoDirectory parent_;
};

TEST_F(SessionFifosTest, CarriesBytesAndLeavesNoFiles) {
  ASSERT_OK_AND_ASSIGN(const auto fifos,
                       SessionFifos::Make(parent_, "s", {.stdin = true, .stdout = true}));
  EXPECT_EQ(fifos->stderr_path(), "");
  EXPECT_FALSE(fifos->stderr.ok());
  const std::string in_path = fifos->stdin_path();
  // The shim, which opens its end of the input a moment late.
  const UniqueFd out(::open(fifos->stdout_path().c_str(), O_WRONLY | O_CLOEXEC));
  UniqueFd in;
  std::thread shim([&] {
    absl::SleepFor(absl::Milliseconds(50));
    in.reset(::open(in_path.c_str(), O_RDONLY | O_CLOEXEC));
  });
  EXPECT_OK(fifos->OpenStdin(absl::Seconds(10)));
  shim.join();
  fifos->RemoveFiles();
  EXPECT_NE(::access(in_path.c_str(), F_OK), 0);
  char byte = 0;
  ASSERT_EQ(::write(fifos->stdin.get(), "i", 1), 1);
  EXPECT_EQ(::read(in.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'i');
  ASSERT_EQ(::write(out.get(), "o", 1), 1);
  EXPECT_EQ(::read(fifos->stdout.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'o');
}

TEST_F(SessionFifosTest, InputThatNobodyReadsStaysClosed) {
  ASSERT_OK_AND_ASSIGN(const auto fifos, SessionFifos::Make(parent_, "s", {.stdin = true}));
  EXPECT_OK(fifos->OpenStdin(absl::Milliseconds(20)));
  EXPECT_FALSE(fifos->stdin.ok());
}

TEST_F(SessionFifosTest, ANameIsTakenOnce) {
  ASSERT_OK_AND_ASSIGN(const auto fifos, SessionFifos::Make(parent_, "s", {}));
  EXPECT_THAT(SessionFifos::Make(parent_, "s", {}).status(),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

}  // namespace
}  // namespace crisp::cri
