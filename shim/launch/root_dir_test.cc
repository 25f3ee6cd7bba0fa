#include "shim/launch/root_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

class RootDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");
    top_ = absl::StrCat(base != nullptr ? base : "/tmp", "/root-", RandomHex(12));
    ASSERT_OK(MakeDirs(top_ + "/root/etc", 0755));
    ASSERT_OK(MakeDirs(top_ + "/outside", 0755));
    ASSERT_OK_AND_ASSIGN(UniqueFd fd, OpenDir(top_ + "/root"));
    root_ = RootDir(std::move(fd));
  }
  void TearDown() override { (void)RemoveTree(top_); }

  void Link(const std::string& name, const std::string& target) {
    ASSERT_EQ(::symlink(target.c_str(), (top_ + "/root/" + name).c_str()), 0);
  }
  bool Exists(const std::string& name) { return ::access((top_ + "/" + name).c_str(), F_OK) == 0; }

  std::string top_;
  RootDir root_;
};

TEST_F(RootDirTest, MakesWhatIsMissing) {
  EXPECT_OK(root_.EnsureDirectory("/a/b/c"));
  EXPECT_OK(root_.EnsureFile("/a/d/e"));
  EXPECT_OK(root_.EnsureFile("/a/d/e"));
  struct stat st;
  ASSERT_EQ(::stat((top_ + "/root/a/d/e").c_str(), &st), 0);
  EXPECT_TRUE(S_ISREG(st.st_mode));
  EXPECT_EQ(ErrnoOf(root_.EnsureDirectory("/a/d/e").status()), ENOTDIR);
  EXPECT_OK(root_.EnsureDirectory("/"));
}

TEST_F(RootDirTest, LinksStayInTheRoot) {
  Link("absolute", top_ + "/outside");
  Link("relative", "../../outside");
  Link("etc/dangling", "../run/made/later");
  EXPECT_OK(root_.EnsureDirectory("/absolute/x"));
  EXPECT_OK(root_.EnsureDirectory("/relative/y"));
  EXPECT_OK(root_.EnsureFile("/etc/dangling"));
  EXPECT_FALSE(Exists("outside/x"));
  EXPECT_FALSE(Exists("outside/y"));
  EXPECT_TRUE(Exists("root" + top_ + "/outside/x"));
  EXPECT_TRUE(Exists("root/outside/y"));
  EXPECT_TRUE(Exists("root/run/made/later"));
  EXPECT_EQ(ErrnoOf(root_.OpenPlain("/absolute", O_PATH).status()), ELOOP);
}

TEST_F(RootDirTest, LoopsEnd) {
  Link("one", "two");
  Link("two", "one");
  Link("grow", "grow/more");
  EXPECT_EQ(ErrnoOf(root_.EnsureDirectory("/one/x").status()), ELOOP);
  EXPECT_EQ(ErrnoOf(root_.EnsureFile("/grow").status()), ELOOP);
}

}  // namespace
}  // namespace crisp::shim
