#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp {
namespace {

std::string NewPath() { return ::testing::TempDir() + "/file-" + RandomHex(8); }

TEST(FileTest, WritesAndReadsBackWithTheModeGiven) {
  const std::string path = NewPath();
  const mode_t previous = ::umask(0777);
  EXPECT_OK(WriteFileAtomic(path, std::string("a\0b", 3), 0640, Sync::kFull));
  ::umask(previous);
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(std::string("a\0b", 3)));
  struct stat st;
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
}

TEST(FileTest, AReaderOfTheOldFileKeepsIt) {
  const std::string path = NewPath();
  ASSERT_OK(WriteFileAtomic(path, "old", 0600));
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_OK(WriteFileAtomic(path, "new", 0600));
  EXPECT_THAT(ReadAll(reader.get(), 100), IsOkAndHolds(std::string("old")));
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(std::string("new")));
}

TEST(FileTest, ReplacingLeavesOneFileWhateverTheDurability) {
  for (const Sync sync : {Sync::kNone, Sync::kFull}) {
    const std::string dir = NewPath();
    ASSERT_OK(MakeDirs(dir, 0755));
    ASSERT_OK(WriteFileAtomic(dir + "/name", "old", 0600, sync));
    ASSERT_OK(WriteFileAtomic(dir + "/name", "new", 0640, sync));
    EXPECT_THAT(ReadFile(dir + "/name"), IsOkAndHolds(std::string("new")));
    EXPECT_EQ(::unlink((dir + "/name").c_str()), 0);
    EXPECT_EQ(::rmdir(dir.c_str()), 0);  // Empty: no temporary was left.
  }
}

TEST(FileTest, ASymlinkIsReplacedAndNotFollowed) {
  const std::string link = NewPath(), other = NewPath();
  ASSERT_OK(WriteFileAtomic(other, "other", 0600));
  ASSERT_EQ(::symlink(other.c_str(), link.c_str()), 0);
  ASSERT_OK(WriteFileAtomic(link, "new", 0600));
  EXPECT_THAT(ReadFileAt(AT_FDCWD, link, 10), IsOkAndHolds(std::string("new")));
  EXPECT_THAT(ReadFile(other), IsOkAndHolds(std::string("other")));
}

TEST(FileTest, AFailedWriteLeavesNoTemporary) {
  const std::string dir = NewPath();
  ASSERT_OK(MakeDirs(dir + "/name", 0755));  // A directory cannot be renamed over.
  EXPECT_FALSE(WriteFileAtomic(dir + "/name", "x", 0600).ok());
  EXPECT_EQ(::rmdir((dir + "/name").c_str()), 0);
  EXPECT_EQ(::rmdir(dir.c_str()), 0);  // Empty: nothing else was left in it.
}

TEST(FileTest, BoundsAreKept) {
  const std::string path = NewPath();
  ASSERT_OK(WriteFileAtomic(path, "12345", 0600));
  EXPECT_OK(ReadFileAt(AT_FDCWD, path, 5));
  EXPECT_THAT(ReadFileAt(AT_FDCWD, path, 4), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(FileTest, OnlyRegularFilesAreRead) {
  const std::string fifo = NewPath(), link = NewPath();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(ReadFileAt(AT_FDCWD, fifo, 10), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ReadFileAt(AT_FDCWD, "/dev/zero", 10),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_EQ(::symlink("/etc/passwd", link.c_str()), 0);
  EXPECT_EQ(ErrnoOf(ReadFileAt(AT_FDCWD, link, 1 << 20).status()), ELOOP);
}

}  // namespace
}  // namespace crisp
