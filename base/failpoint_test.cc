#include "base/failpoint.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"

namespace crisp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kBytes = 64 << 10;
constexpr uint32_t kArmed = 1, kHeld = 2, kReleased = 3;

void First() { CRISP_FAILPOINT("test/first"); }
void Second() { CRISP_FAILPOINT("test/second"); }

// The file as a test sees it.
class Board {
 public:
  explicit Board(mode_t mode = 0600, size_t bytes = kBytes)
      : path_(absl::StrCat(::testing::TempDir(), "/board")) {
    ::unlink(path_.c_str());
    const UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
    map_ = static_cast<char*>(
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  }
  ~Board() {
    ::unlink(path_.c_str());
    ::munmap(map_, kBytes);
  }

  const char* path() const { return path_.c_str(); }
  std::atomic<uint32_t>& word(size_t index) {
    return reinterpret_cast<std::atomic<uint32_t>*>(map_)[index];
  }
  std::string log() { return {map_ + 128, word(3)}; }
  void Arm(const char* step, uint32_t skip) {
    word(1) = skip;
    std::strcpy(map_ + 16, step);
    word(0) = kArmed;
  }

 private:
  const std::string path_;
  char* map_;
};

TEST(Failpoint, EveryOneIsListed) {
  EXPECT_THAT(FailpointNames(), ElementsAre("test/first", "test/second"));
}

TEST(Failpoint, InertUnlessTheBoardIsRootsAlone) {
  EXPECT_OK(EnableFailpoints(nullptr));
  EXPECT_OK(EnableFailpoints(""));
  EXPECT_THAT(EnableFailpoints("/no/such/file"), StatusIs(absl::StatusCode::kNotFound));
  {
    const Board readable(0644);
    EXPECT_THAT(EnableFailpoints(readable.path()), StatusIs(absl::StatusCode::kPermissionDenied));
    const std::string link = absl::StrCat(::testing::TempDir(), "/link");
    ::unlink(link.c_str());
    ASSERT_EQ(::symlink(readable.path(), link.c_str()), 0);
    EXPECT_FALSE(EnableFailpoints(link.c_str()).ok());
    ::unlink(link.c_str());
  }
  {
    const Board tiny(0600, 17);
    EXPECT_THAT(EnableFailpoints(tiny.path()), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_FALSE(FailpointsEnabled());
  EXPECT_THAT(FailpointBoard(), IsEmpty());
  First();  // Does nothing.
}

TEST(Failpoint, RefusedToOthersThanRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  const Board board;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(2);
    ::_exit(absl::IsPermissionDenied(EnableFailpoints(board.path())) && !FailpointsEnabled() ? 0
                                                                                             : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Failpoint, HoldsAtTheArmedStepUntilReleased) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  Board board;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!EnableFailpoints(board.path()).ok() || FailpointBoard() != board.path()) ::_exit(2);
    // Forks share the board.
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      First();
      ReachFailpoint("test/by name");
      Second();
      Second();
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(grandchild, &status, 0);
    ::_exit(status == 0 ? 0 : 1);
  }
  board.Arm("test/second", 1);
  for (int i = 0; i < 10000 && board.word(0) != kHeld; ++i) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_EQ(board.word(0), kHeld);
  EXPECT_EQ(::kill(static_cast<pid_t>(board.word(2).load()), 0), 0);
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
  EXPECT_THAT(board.log(), HasSubstr("+test/first\n+test/second\n"));
  EXPECT_THAT(board.log(), HasSubstr("\ntest/first\ntest/by name\ntest/second\ntest/second\n"));
  board.word(0) = kReleased;
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace crisp
