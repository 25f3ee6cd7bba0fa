#include "base/mountinfo.h"

#include "base/status_matchers.h"

namespace crisp {
namespace {

constexpr char kSample[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "23 22 0:21 / /proc rw,nosuid - proc proc rw\n"
    "40 22 0:30 / /mnt/with\\040space rw master:4 propagate_from:2 - tmpfs tmpfs rw,size=1k\n"
    "41 40 0:31 /sub /mnt/with\\040space ro - tmpfs over rw\n";

TEST(MountInfoTest, ParsesFieldsTagsAndEscapes) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, ParseMountInfo(kSample));
  ASSERT_EQ(mounts.size(), 4u);
  EXPECT_TRUE(mounts[0].shared());
  EXPECT_FALSE(mounts[1].shared());
  EXPECT_TRUE(mounts[2].slave());
  EXPECT_EQ(mounts[2].mount_point, "/mnt/with space");
  EXPECT_EQ(mounts[3].root, "/sub");
  EXPECT_EQ(mounts[3].source, "over");
}

TEST(MountInfoTest, FindsTheMountOnTop) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, ParseMountInfo(kSample));
  EXPECT_EQ(MountOf(mounts, "/mnt/with space/file")->id, 41);
  EXPECT_EQ(MountOf(mounts, "/mnt/with spaces")->id, 22);
  EXPECT_EQ(MountOf(mounts, "/proc")->id, 23);
  EXPECT_EQ(MountOf({}, "/"), nullptr);
}

TEST(MountInfoTest, RefusesWhatIsNotMountinfo) {
  for (const char* bad :
       {"x", "1 2 3", "a b 0:1 / / rw - ext4 x rw", "22 1 254:0 / / rw ext4 x rw q"}) {
    EXPECT_THAT(ParseMountInfo(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(MountInfoTest, ReadsTheKernels) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, ReadMountInfo());
  EXPECT_NE(MountOf(mounts, "/"), nullptr);
}

}  // namespace
}  // namespace crisp
