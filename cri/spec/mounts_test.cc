#include "cri/spec/mounts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/mountinfo.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Tmp() {
  const char* base = std::getenv("TEST_TMPDIR");
  return base != nullptr ? base : "/tmp";
}

std::vector<MountInfo> Table() {
  return *ParseMountInfo(
      "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
      "2 1 8:2 / /shared rw shared:5 - ext4 /dev/sdb rw\n"
      "3 1 8:3 / /slave rw master:5 - ext4 /dev/sdc rw\n"
      "4 1 0:4 / /proc rw - proc proc rw\n");
}

runtime::v1::Mount Mount(const std::string& host, const std::string& container) {
  runtime::v1::Mount mount;
  mount.set_host_path(host);
  mount.set_container_path(container);
  return mount;
}

absl::StatusOr<std::vector<SpecMount>> Resolve(const runtime::v1::Mount& mount,
                                               bool recursive_read_only = true) {
  runtime::v1::ContainerConfig config;
  *config.add_mounts() = mount;
  return ResolveCriMounts(config, {Table(), recursive_read_only, true});
}

void Refuses(const runtime::v1::Mount& mount, const char* reason) {
  EXPECT_THAT(Resolve(mount), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)))
      << mount.ShortDebugString();
}

TEST(ResolveCriMounts, ResolvesTheSourceAndMakesAMissingOne) {
  const std::string link = Tmp() + "/link";
  ASSERT_EQ(::symlink("/etc", link.c_str()), 0);
  ASSERT_OK_AND_ASSIGN(auto mounts, Resolve(Mount(link, "/data//x/")));
  EXPECT_EQ(mounts[0].host_path, "/etc");
  EXPECT_EQ(mounts[0].container_path, "/data/x");
  EXPECT_FALSE(mounts[0].read_only);
  ASSERT_EQ(::unlink(link.c_str()), 0);

  const std::string missing = Tmp() + "/made/here";
  ASSERT_OK_AND_ASSIGN(mounts, Resolve(Mount(missing, "/data")));
  struct stat st;
  ASSERT_EQ(::stat(missing.c_str(), &st), 0);
  EXPECT_TRUE(S_ISDIR(st.st_mode));
  EXPECT_EQ(st.st_mode & 0777, 0755u);
}

TEST(ResolveCriMounts, AWrongMountMakesNothing) {
  const std::string missing = Tmp() + "/never";
  auto mount = Mount(missing, "/data");
  mount.set_recursive_read_only(true);
  Refuses(mount, "config.mounts[0].recursive_read_only: needs readonly");
  EXPECT_NE(::access(missing.c_str(), F_OK), 0);
}

TEST(ResolveCriMounts, RefusesByField) {
  Refuses(Mount("/etc", "/a/../b"), "config.mounts[0].container_path");
  Refuses(Mount("/etc", "a"), "config.mounts[0].container_path");
  Refuses(Mount("/etc", "/"), "config.mounts[0].container_path");
  Refuses(Mount("", "/a"), "config.mounts[0].host_path");
  Refuses(Mount("etc", "/a"), "config.mounts[0].host_path");
  Refuses(Mount("/etc/passwd/x", "/a"), "config.mounts[0].host_path");
  Refuses(Mount("/etc", "/proc"), "only a proc filesystem");
  Refuses(Mount("/etc", "/proc/self/attr"), "inside /proc");
  Refuses(Mount("/etc", "/proc/sys/kernel"), "inside /proc");
  EXPECT_OK(Resolve(Mount("/etc/hostname", "/proc/cpuinfo")));
  EXPECT_OK(Resolve(Mount("/proc", "/proc")));
  auto options = Mount("/etc", "/a");
  options.add_mount_options("suid");
  Refuses(options, "config.mounts[0].mount_options");
}

TEST(ResolveCriMounts, PropagationNeedsTheSourcesConsent) {
  SpecMount mount{"/a", "/etc"};
  mount.propagation = Propagation::kSlave;
  EXPECT_THAT(CheckPropagation("f", mount, Table()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("shared or slave")));
  mount.host_path = "/slave/x";
  EXPECT_OK(CheckPropagation("f", mount, Table()));
  mount.propagation = Propagation::kShared;
  EXPECT_FALSE(CheckPropagation("f", mount, Table()).ok());
  mount.host_path = "/shared/x";
  EXPECT_OK(CheckPropagation("f", mount, Table()));

  auto bidirectional = Mount("/etc", "/a");
  bidirectional.set_propagation(runtime::v1::PROPAGATION_BIDIRECTIONAL);
  Refuses(bidirectional, "config.mounts[0].propagation");
}

TEST(ResolveCriMounts, RecursiveReadOnly) {
  auto mount = Mount("/etc", "/a");
  mount.set_readonly(true);
  mount.set_recursive_read_only(true);
  ASSERT_OK_AND_ASSIGN(const auto mounts, Resolve(mount));
  EXPECT_EQ(MountToOci(mounts[0])["options"], nlohmann::json({"rbind", "rprivate", "rro"}));
  EXPECT_THAT(Resolve(mount, false),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("RROUnsupported")));
  mount.set_propagation(runtime::v1::PROPAGATION_HOST_TO_CONTAINER);
  Refuses(mount, "needs private propagation");
}

TEST(MountToOci, IdMaps) {
  SpecMount mount{.container_path = "/x", .host_path = "/y"};
  EXPECT_FALSE(MountToOci(mount).contains("uidMappings"));
  mount.uid_mappings = {{{"containerID", 0}, {"hostID", 1000}, {"size", 10}}};
  mount.gid_mappings = {{{"containerID", 0}, {"hostID", 2000}, {"size", 10}}};
  EXPECT_EQ(MountToOci(mount)["uidMappings"], mount.uid_mappings);
  EXPECT_EQ(MountToOci(mount)["gidMappings"], mount.gid_mappings);
}

TEST(MountToOci, AnImageOfSeveralLayersIsAnOverlay) {
  SpecMount mount{.container_path = "/image", .options = {"noexec"}};
  UseImage({.layers = {"/two", "/one"}, .sub_path = "sub"}, &mount);
  nlohmann::json oci = MountToOci(mount);
  EXPECT_EQ(oci["type"], "overlay");
  EXPECT_EQ(oci["options"], nlohmann::json({"ro", "nosuid", "nodev", "noexec",
                                            "x-crisp.subpath=sub", "lowerdir=/two:/one"}));
  mount.uid_mappings = {{{"containerID", 0}, {"hostID", 1000}, {"size", 10}}};
  mount.gid_mappings = {{{"containerID", 0}, {"hostID", 2000}, {"size", 10}},
                        {{"containerID", 10}, {"hostID", 5}, {"size", 1}}};
  oci = MountToOci(mount);
  EXPECT_FALSE(oci.contains("uidMappings"));
  EXPECT_EQ(oci["options"].back(), "gidmap=0:2000:10,10:5:1");

  // One layer alone makes no overlay.
  mount.layers.resize(1);
  oci = MountToOci(mount);
  EXPECT_EQ(oci["type"], "bind");
  EXPECT_EQ(oci["source"], "/two");
  EXPECT_EQ(oci["options"][0], "bind");
  EXPECT_EQ(oci["uidMappings"], mount.uid_mappings);
}

TEST(SortByDepth, ParentsFirstAndStable) {
  std::vector<SpecMount> mounts = {
      {"/a/b", "1"}, {"/z", "2"}, {"/a", "3"}, {"/a/a/a", "4"}, {"/a/b", "5"}};
  SortByDepth(&mounts);
  std::vector<std::string> order;
  for (const auto& mount : mounts) order.push_back(mount.host_path);
  EXPECT_THAT(order, ElementsAre("2", "3", "1", "5", "4"));
}

TEST(RootfsPropagation, FollowsTheStrongest) {
  std::vector<SpecMount> mounts(1);
  EXPECT_EQ(RootfsPropagation(mounts), "");
  mounts[0].propagation = Propagation::kSlave;
  EXPECT_EQ(RootfsPropagation(mounts), "rslave");
  mounts.emplace_back().propagation = Propagation::kShared;
  EXPECT_EQ(RootfsPropagation(mounts), "rshared");
}

}  // namespace
}  // namespace crisp::cri
