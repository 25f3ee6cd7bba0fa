#include "base/safe_path.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/ids.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp {
namespace {

class SafePathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "/safe-path-" + RandomHex(8);
    ASSERT_OK(MakeDirs(root_, 0755));
    auto dir = OpenDir(root_);
    ASSERT_OK(dir);
    dir_ = *std::move(dir);
  }
  void TearDown() override { EXPECT_OK(RemoveTree(root_)); }

  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlinkat(target.c_str(), dir_.get(), name.c_str()), 0);
  }

  std::string root_;
  UniqueFd dir_;
};

TEST_F(SafePathTest, BeneathRefusesEveryWayOut) {
  Link("/etc", "absolute");
  Link("../..", "upwards");
  for (const char* path : {"..", "absolute", "upwards", "absolute/passwd", "/etc/passwd"}) {
    EXPECT_EQ(ErrnoOf(OpenBeneath(dir_.get(), path, O_PATH).status()), EXDEV) << path;
  }
}

TEST_F(SafePathTest, BeneathFollowsLinksThatStayInside) {
  ASSERT_OK(MakeDirsBeneath(dir_.get(), "data/v1", 0755));
  Link("data", "link");
  EXPECT_OK(OpenBeneath(dir_.get(), "link/v1", O_PATH));
}

TEST_F(SafePathTest, InRootKeepsAbsoluteLinksInside) {
  ASSERT_OK(MakeDirsBeneath(dir_.get(), "etc", 0755));
  Link("/../../etc", "outward");
  ASSERT_OK_AND_ASSIGN(const UniqueFd fd,
                       OpenBeneath(dir_.get(), "outward", O_PATH, Resolve::kInRoot));
  struct stat opened, inside;
  ASSERT_EQ(::fstat(fd.get(), &opened), 0);
  ASSERT_EQ(::stat((root_ + "/etc").c_str(), &inside), 0);
  EXPECT_EQ(opened.st_ino, inside.st_ino);
}

TEST_F(SafePathTest, NoSymlinksRefusesEvenHarmlessOnes) {
  ASSERT_OK(MakeDirsBeneath(dir_.get(), "a", 0755));
  Link("a", "b");
  EXPECT_EQ(
      ErrnoOf(OpenBeneath(dir_.get(), "b", O_PATH | O_DIRECTORY, Resolve::kNoSymlinks).status()),
      ELOOP);
}

TEST_F(SafePathTest, NulIsRefused) {
  EXPECT_THAT(OpenBeneath(dir_.get(), absl::string_view("a\0b", 3), O_PATH),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SafePathTest, MakeDirsBeneathSetsTheModeExactly) {
  const mode_t previous = ::umask(077);
  EXPECT_OK(MakeDirsBeneath(dir_.get(), "x/y", 02775));
  ::umask(previous);
  struct stat st;
  ASSERT_EQ(::stat((root_ + "/x/y").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 02775u);
}

TEST_F(SafePathTest, MakeDirsBeneathDoesNotFollowAPlantedLink) {
  Link("/tmp", "x");
  EXPECT_FALSE(MakeDirsBeneath(dir_.get(), "x/planted", 0755).ok());
  EXPECT_NE(::access("/tmp/planted", F_OK), 0);
}

TEST_F(SafePathTest, RemoveTreeDoesNotFollowLinks) {
  const std::string outside = root_ + "-outside";
  ASSERT_OK(MakeDirs(outside + "/kept", 0755));
  ASSERT_OK(MakeDirsBeneath(dir_.get(), "tree/deep/er", 0755));
  ASSERT_EQ(::symlink(outside.c_str(), (root_ + "/tree/deep/link").c_str()), 0);
  EXPECT_OK(RemoveTreeAt(dir_.get(), "tree"));
  EXPECT_NE(::access((root_ + "/tree").c_str(), F_OK), 0);
  EXPECT_EQ(::access((outside + "/kept").c_str(), F_OK), 0);
  EXPECT_OK(RemoveTree(outside));
}

// Deeper than there are descriptors for, as a container may leave its volume.
TEST_F(SafePathTest, RemoveTreeOfAnyDepth) {
  struct rlimit old;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const struct rlimit few = {256, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  auto at = MakeDirsBeneath(dir_.get(), "deep", 0755);
  ASSERT_OK(at);
  for (int i = 0; i < 3000; ++i) {
    auto next = MakeDirsBeneath(at->get(), "d", 0755);
    ASSERT_OK(next);
    at = std::move(next);
  }
  at->reset();
  ASSERT_OK(MakeDirsBeneath(dir_.get(), "deep/.crisp-remove-1/x", 0755));
  EXPECT_OK(RemoveTreeAt(dir_.get(), "deep"));
  EXPECT_EQ(::faccessat(dir_.get(), "deep", F_OK, 0), -1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST_F(SafePathTest, RemoveTreeOfNothingIsFine) {
  EXPECT_OK(RemoveTreeAt(dir_.get(), "absent"));
  EXPECT_OK(RemoveTree(root_ + "/absent/too"));
}

TEST(PathTextTest, CleanRelative) {
  for (const char* good : {"a", "a/b", "..a", "a..", "a.b"}) EXPECT_TRUE(IsCleanRelative(good));
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"}) {
    EXPECT_FALSE(IsCleanRelative(bad)) << bad;
  }
}

TEST(PathTextTest, Clean) {
  EXPECT_EQ(CleanPath("/a//b/./c/"), "/a/b/c");
  EXPECT_EQ(CleanPath("/a/../../b"), "/b");
  EXPECT_EQ(CleanPath("a/../.."), "..");
  EXPECT_EQ(CleanPath("/"), "/");
  EXPECT_EQ(CleanPath(""), ".");
}

TEST(PathTextTest, Join) {
  EXPECT_EQ(JoinPath("/a/", "/b"), "/a/b");
  EXPECT_EQ(JoinPath("/a", "b"), "/a/b");
  EXPECT_EQ(JoinPath("", "b"), "/b");
}

}  // namespace
}  // namespace crisp
