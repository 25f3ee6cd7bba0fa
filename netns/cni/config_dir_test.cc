#include "netns/cni/config_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "netns/testing/fake_plugin.h"

namespace crisp::netns {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigDirTest : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    ASSERT_OK(WriteFileAtomic(absl::StrCat(path_, "/", file), text, 0644));
  }
  void WriteNetwork(const std::string& file, const std::string& name) {
    Write(file, absl::StrCat(R"({"name": ")", name, R"(", "plugins": [{"type": "p"}]})"));
  }
  std::string CurrentName() {
    const auto current = dir_.Current();
    return current.ok() ? (*current)->name : current.status().ToString();
  }

  std::string path_ = FreshDir("conf");
  ConfigDir dir_{path_};
};

TEST_F(ConfigDirTest, NothingThereIsNotFound) {
  EXPECT_THAT(dir_.Current(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  EXPECT_THAT(ConfigDir("/nowhere/at/all").Current(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ConfigDirTest, TheFirstByNameIsTheNetworkAndChangesAreSeen) {
  WriteNetwork("20-b.conflist", "b");
  EXPECT_EQ(CurrentName(), "b");
  WriteNetwork("10-a.conflist", "a");
  EXPECT_EQ(CurrentName(), "a");
  WriteNetwork("10-a.conflist", "c");
  EXPECT_EQ(CurrentName(), "c");
  EXPECT_THAT(dir_.Look().files, ElementsAre("10-a.conflist", "20-b.conflist"));
  ASSERT_EQ(::unlink((path_ + "/10-a.conflist").c_str()), 0);
  EXPECT_EQ(CurrentName(), "b");
  ASSERT_EQ(::unlink((path_ + "/20-b.conflist").c_str()), 0);
  EXPECT_THAT(dir_.Current(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ConfigDirTest, OtherFilesAndLoopbackAreNotNetworks) {
  Write("00-README", "hello");
  Write("05-old.conflist.bak", "hello");
  Write("10-lo.conf", R"({"name": "lo", "type": "loopback"})");
  EXPECT_THAT(dir_.Current(), StatusIs(absl::StatusCode::kNotFound));
  WriteNetwork("20-b.conflist", "b");
  EXPECT_EQ(CurrentName(), "b");
}

TEST_F(ConfigDirTest, ABrokenFirstFileIsAReasonAndNotAChoiceOfTheNext) {
  Write("10-a.conflist", "{");
  WriteNetwork("20-b.conflist", "b");
  EXPECT_THAT(dir_.Current(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("10-a.conflist")));
}

TEST_F(ConfigDirTest, TheLastGoodOneStaysWhileTheFileIsBroken) {
  WriteNetwork("10-a.conflist", "a");
  EXPECT_EQ(CurrentName(), "a");
  Write("10-a.conflist", "{");
  EXPECT_EQ(CurrentName(), "a");
  EXPECT_THAT(dir_.Look().error,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("10-a.conflist")));
  WriteNetwork("10-a.conflist", "b");
  EXPECT_EQ(CurrentName(), "b");
  EXPECT_OK(dir_.Look().error);
}

}  // namespace
}  // namespace crisp::netns
