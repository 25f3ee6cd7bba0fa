#include "cgroup/hierarchies.h"

#include "base/status_matchers.h"

namespace crisp::cgroup {
namespace {

using ::testing::ElementsAre;

absl::StatusOr<Hierarchies> From(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ParseMountInfo(text));
  return Hierarchies::FromMounts(mounts);
}

TEST(HierarchiesTest, OneTreeOfVersionTwo) {
  ASSERT_OK_AND_ASSIGN(const Hierarchies hosts,
                       From("30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n"));
  EXPECT_TRUE(hosts.v2());
  EXPECT_EQ(hosts.unified, "/sys/fs/cgroup");
  EXPECT_THAT(hosts.MountPoints(), ElementsAre("/sys/fs/cgroup"));
  EXPECT_EQ(hosts.MountPointOf("memory"), "");
}

TEST(HierarchiesTest, HybridHasItsControllersInVersionOne) {
  ASSERT_OK_AND_ASSIGN(
      const Hierarchies hosts,
      From("30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
           "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
           "32 23 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
           "rw,xattr,release_agent=/lib/x,name=systemd\n"));
  EXPECT_FALSE(hosts.v2());
  EXPECT_EQ(hosts.MountPointOf("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(hosts.MountPointOf("name=systemd"), "/sys/fs/cgroup/systemd");
  EXPECT_EQ(hosts.MountPointOf("rw"), "");
  EXPECT_EQ(hosts.MountPoints().size(), 3u);
}

TEST(HierarchiesTest, ANamedHierarchyDoesNotMakeTheHostHybrid) {
  ASSERT_OK_AND_ASSIGN(const Hierarchies hosts,
                       From("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                            "32 23 0:28 / /sys/fs/cgroup/x rw - cgroup cgroup rw,name=systemd\n"));
  EXPECT_TRUE(hosts.v2());
}

TEST(HierarchiesTest, AVpnsNetClsDoesNotMakeTheHostHybrid) {
  ASSERT_OK_AND_ASSIGN(const Hierarchies hosts,
                       From("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                            "32 23 0:28 / /opt/vpn/net_cls rw - cgroup cgroup rw,net_cls\n"));
  EXPECT_TRUE(hosts.v2());
  EXPECT_EQ(hosts.MountPointOf("net_cls"), "/opt/vpn/net_cls");
}

TEST(HierarchiesTest, OtherViewsOfAHierarchyDoNotCount) {
  ASSERT_OK_AND_ASSIGN(const Hierarchies hosts,
                       From("1 0 0:1 /pod /views/part rw - cgroup cgroup rw,memory\n"
                            "2 0 0:1 / /cg/memory rw - cgroup cgroup rw,memory\n"
                            "3 0 0:1 / /views/whole rw - cgroup cgroup rw,memory\n"));
  EXPECT_THAT(hosts.MountPoints(), ElementsAre("/cg/memory"));
}

TEST(HierarchiesTest, AHostWithoutAnyIsAnError) {
  EXPECT_THAT(From("1 0 0:1 / /proc rw - proc proc rw\n"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace crisp::cgroup
