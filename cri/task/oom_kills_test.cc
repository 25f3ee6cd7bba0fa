#include "cri/task/oom_kills.h"

#include <cstdlib>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

class OomKillsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "oom.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { EXPECT_OK(RemoveTree(root_)); }
  void Put(const std::string& dir, const std::string& name, const std::string& text) {
    ASSERT_OK(MakeDirs(JoinPath(root_, dir), 0755));
    ASSERT_OK(WriteFileAtomic(JoinPath(JoinPath(root_, dir), name), text, 0644));
  }
  std::string root_;
};

TEST_F(OomKillsTest, ReadsBothVersions) {
  Put("pod/c", "memory.events", "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 9\n");
  EXPECT_THAT(OomKills("/pod/c", root_), IsOkAndHolds(2));
  Put("memory/pod/c", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
  EXPECT_THAT(OomKills("/pod/c", root_), IsOkAndHolds(5));
  EXPECT_THAT(OomKills("pod/c", root_), IsOkAndHolds(5));
}

TEST_F(OomKillsTest, SaysWhenThereIsNoCount) {
  EXPECT_THAT(OomKills("/gone", root_), StatusIs(absl::StatusCode::kNotFound));
  Put("old", "memory.events", "oom 1\n");
  EXPECT_THAT(OomKills("/old", root_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(OomKills("", root_), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(OomKills("/a/../b", root_), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace crisp::cri
