#include "shim/launch/mount_plan.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = PlannedMount::Kind;
using Entry = std::pair<std::string, std::string>;

Spec With(std::vector<Mount> mounts) {
  Spec spec;
  spec.mounts = std::move(mounts);
  return spec;
}

PlanContext Context() {
  PlanContext context;
  context.bundle = "/bundle";
  context.cgroup_path = "/pod/one";
  context.hosts.v1 = {{{"cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct"},
                      {{"name=systemd"}, "/sys/fs/cgroup/systemd"}};
  return context;
}

void Refuses(const Mount& mount, const char* message) {
  EXPECT_THAT(PlanMounts(With({mount}), Context()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
}

TEST(PlanMounts, BindsAndFilesystems) {
  ASSERT_OK_AND_ASSIGN(const MountPlan plan,
                       PlanMounts(With({{"/proc", "proc", "proc", {"nosuid", "noexec"}},
                                        {"data/./x/", "bind", "volume", {"rbind", "ro", "rslave"}},
                                        {"/tmp", "tmpfs", "", {"ro", "size=1m", "mode=1777"}}}),
                                  Context()));
  ASSERT_EQ(plan.mounts.size(), 3u);
  EXPECT_EQ(plan.mounts[0].kind, Kind::kFilesystem);
  EXPECT_TRUE(plan.mounts[0].plain_directory);
  EXPECT_EQ(plan.mounts[0].options.attr_set, uint64_t{MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC});
  EXPECT_EQ(plan.mounts[1].kind, Kind::kBind);
  EXPECT_EQ(plan.mounts[1].destination, "/data/x");
  EXPECT_EQ(plan.mounts[1].source, "/bundle/volume");
  EXPECT_TRUE(plan.mounts[1].options.recursive_bind);
  EXPECT_TRUE(plan.mounts[1].options.propagation_recursive);
  EXPECT_FALSE(plan.mounts[1].readonly_last);
  EXPECT_TRUE(plan.mounts[2].readonly_last);
  EXPECT_THAT(plan.mounts[2].options.data, ElementsAre("size=1m", "mode=1777"));
}

TEST(PlanMounts, TheContainersOwnCgroup) {
  const Mount cgroup = {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid"}};
  ASSERT_OK_AND_ASSIGN(MountPlan plan, PlanMounts(With({cgroup}), Context()));
  EXPECT_EQ(plan.mounts[0].kind, Kind::kCgroup1);
  EXPECT_TRUE(plan.mounts[0].readonly_last);
  EXPECT_THAT(plan.mounts[0].cgroup_binds,
              ElementsAre(Entry("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/pod/one"),
                          Entry("systemd", "/sys/fs/cgroup/systemd/pod/one")));
  EXPECT_THAT(plan.mounts[0].cgroup_links,
              ElementsAre(Entry("cpu", "cpu,cpuacct"), Entry("cpuacct", "cpu,cpuacct")));

  PlanContext v2 = Context();
  v2.hosts.v1.clear();
  v2.hosts.unified = "/sys/fs/cgroup";
  ASSERT_OK_AND_ASSIGN(plan, PlanMounts(With({cgroup}), v2));
  EXPECT_EQ(plan.mounts[0].kind, Kind::kBind);
  EXPECT_EQ(plan.mounts[0].source, "/sys/fs/cgroup");
  Spec spec = With({cgroup});
  spec.namespaces = {{CLONE_NEWCGROUP, ""}};
  ASSERT_OK_AND_ASSIGN(plan, PlanMounts(spec, v2));
  EXPECT_EQ(plan.mounts[0].kind, Kind::kFilesystem);
  EXPECT_EQ(plan.mounts[0].fs_type, "cgroup2");
}

TEST(PlanMounts, WhatIsRefusedNamesItsField) {
  Refuses({"/", "tmpfs", "tmpfs", {}}, "mounts[0].destination: is the root");
  Refuses({"/a/..", "tmpfs", "tmpfs", {}}, "mounts[0].destination: is the root");
  Refuses({"/proc/sys", "bind", "/x", {"bind"}}, "/proc/sys is inside /proc");
  Refuses({"/proc/../proc/1", "tmpfs", "", {}}, "is inside /proc");
  Refuses({"/x", "", "/x", {"ro"}}, "mounts[0].type: is missing");
  Refuses({"/x", "bind", "", {}}, "mounts[0].source: is missing");
  Refuses({"/x", "bind", "/x", {"size=1"}}, "\"size=1\" is not an option of a bind mount");
  Refuses({"/x", "tmpfs", "", {"tmpcopyup"}}, "\"tmpcopyup\" is not supported");
  Refuses({"/x", "bind", "/x", {"bind", "remount"}}, "\"remount\" is not supported");
  Refuses({"/x", "bind", "/x", {"bind", "x-crisp.pod"}}, "not honoured");
  Refuses({"/x", "bind", "/x", {"bind", "idmap"}}, "idmap without mappings");
  Refuses({"/x", "tmpfs", "", {}, {{{0, 1, 1}}, {{0, 1, 1}}}}, "bind mounts only");
}

TEST(PlanMounts, OptionsOfCrispsOwn) {
  PlanContext context = Context();
  context.crisp_options = true;
  ASSERT_OK_AND_ASSIGN(
      const MountPlan plan,
      PlanMounts(With({{"/x", "bind", "/v", {"bind", "x-crisp.pod", "x-crisp.subpath=a/b"}}}),
                 context));
  EXPECT_TRUE(plan.mounts[0].options.from_pod);
  EXPECT_EQ(plan.mounts[0].options.subpath, "a/b");
  for (const char* wrong : {"x-crisp.subpath=../a", "x-crisp.subpath=/a",
                            "x-crisp.subpath=", "x-crisp.subpath=a//b", "x-crisp.other"}) {
    EXPECT_FALSE(PlanMounts(With({{"/x", "bind", "/v", {"bind", wrong}}}), context).ok()) << wrong;
  }
  EXPECT_FALSE(PlanMounts(With({{"/x", "tmpfs", "", {"x-crisp.pod"}}}), context).ok());
}

TEST(PlanMounts, Devices) {
  ASSERT_OK_AND_ASSIGN(MountPlan plan, PlanMounts(With({{"/dev", "tmpfs", "tmpfs", {}}}), {}));
  EXPECT_TRUE(plan.populate_dev);
  EXPECT_EQ(plan.devices.size(), 6u);
  // The host's own /dev is left alone, and so is a root that nothing is made in.
  ASSERT_OK_AND_ASSIGN(plan, PlanMounts(With({{"/dev", "bind", "/dev", {"rbind"}}}), {}));
  EXPECT_FALSE(plan.populate_dev);
  EXPECT_TRUE(plan.devices.empty());
  Spec pause;
  pause.root_readonly = true;
  ASSERT_OK_AND_ASSIGN(plan, PlanMounts(pause, {}));
  EXPECT_TRUE(plan.devices.empty());
  Spec given = With({{"/dev", "tmpfs", "tmpfs", {}}});
  given.devices = {{"/dev/null", S_IFCHR, 1, 3, 0600}};
  ASSERT_OK_AND_ASSIGN(plan, PlanMounts(given, {}));
  EXPECT_EQ(plan.devices.size(), 6u);
  EXPECT_EQ(plan.devices[0].mode, 0600u);
  given.devices = {{"/dev/../proc/x", S_IFCHR, 1, 3}};
  EXPECT_FALSE(PlanMounts(given, {}).ok());
}

TEST(MountOptions, TheLaterOfTwoWins) {
  ASSERT_OK_AND_ASSIGN(
      const MountOptions options,
      ParseMountOptions({"ro", "rw", "noatime", "relatime", "rro", "nosuid", "private", "rshared"},
                        false));
  EXPECT_EQ(options.attr_set, uint64_t{MOUNT_ATTR_NOSUID});
  EXPECT_EQ(options.attr_clear, uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME});
  EXPECT_EQ(options.recursive_set, uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_TRUE(options.propagation_recursive);
}

}  // namespace
}  // namespace crisp::shim
