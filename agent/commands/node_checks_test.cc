#include "agent/commands/node_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace crisp::cli {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class NodeChecksTest : public ::testing::Test {
 protected:
  NodeChecksTest() {
    char path[] = "/tmp/node-checks.XXXXXX";
    top_ = ::mkdtemp(path);
    paths_.proc = top_ + "/proc";
    paths_.cgroup = top_ + "/cgroup";
    paths_.cni_conf = top_ + "/net.d";
    paths_.cni_bin = {top_ + "/cni"};
    paths_.path = {top_ + "/bin"};
    paths_.data = top_ + "/var/lib/crisp";
    Write("proc/filesystems", "nodev\toverlay\n");
    Write("proc/sys/kernel/seccomp/actions_avail", "kill");
    Write("proc/sys/fs/inotify/max_user_instances", "512\n");
    for (const char* kind : {"net", "mnt", "pid", "ipc", "uts", "cgroup"}) {
      Write(std::string("proc/self/ns/") + kind, "");
    }
    Write("cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    Write("bin/containerd", "");
    fs::permissions(top_ + "/bin/containerd", fs::perms::owner_all);
  }
  ~NodeChecksTest() override { fs::remove_all(top_); }

  void Write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(top_ + "/" + name).parent_path());
    std::ofstream(top_ + "/" + name) << text;
  }
  Check Find(const std::string& name) {
    for (const Check& check : CheckNode(paths_)) {
      if (check.name == name) return check;
    }
    ADD_FAILURE() << name;
    return {};
  }

  std::string top_;
  NodePaths paths_;
};

TEST_F(NodeChecksTest, AGoodNode) {
  for (const char* name : {"kernel features", "cgroups", "containerd", "network", "limits"}) {
    EXPECT_EQ(Find(name).level, Check::Level::kOk) << Find(name).found;
  }
  EXPECT_THAT(Find("network").found, HasSubstr("crispd's own bridge"));
}

TEST_F(NodeChecksTest, WhatIsMissingIsNamedWithAdvice) {
  Write("proc/filesystems", "nodev\tproc\n");
  fs::remove(top_ + "/proc/self/ns/pid");
  const Check features = Find("kernel features");
  EXPECT_EQ(features.level, Check::Level::kFail);
  EXPECT_EQ(features.found, "missing: overlay (modprobe overlay), pid namespaces");
  EXPECT_NE(features.advice, "");

  Write("cgroup/cgroup.controllers", "cpu\n");
  EXPECT_EQ(Find("cgroups").level, Check::Level::kWarn);
  EXPECT_THAT(Find("cgroups").found, HasSubstr("without memory, pids"));
  fs::remove(top_ + "/cgroup/cgroup.controllers");
  EXPECT_EQ(Find("cgroups").level, Check::Level::kFail);
  for (const char* each : {"cpu", "memory", "pids"}) fs::create_directory(top_ + "/cgroup/" + each);
  EXPECT_EQ(Find("cgroups").level, Check::Level::kOk);

  fs::remove(top_ + "/bin/containerd");
  EXPECT_EQ(Find("containerd").level, Check::Level::kFail);
  Write("proc/sys/fs/inotify/max_user_instances", "8\n");
  EXPECT_EQ(Find("limits").level, Check::Level::kWarn);
}

TEST_F(NodeChecksTest, CniPluginsMustBeThere) {
  Write("net.d/10-x.conflist", R"({"plugins": [{"type": "bridge"}, {"type": "portmap"}]})");
  Write("cni/bridge", "");
  EXPECT_EQ(Find("network").level, Check::Level::kFail);
  EXPECT_THAT(Find("network").found, HasSubstr("needs plugins that are missing: portmap"));
  Write("cni/portmap", "");
  EXPECT_EQ(Find("network").level, Check::Level::kOk);
  Write("net.d/05-first.conf", "{");
  EXPECT_THAT(Find("network").found, HasSubstr("05-first.conf is not JSON"));
}

TEST_F(NodeChecksTest, Kernels) {
  EXPECT_TRUE(KernelIsNewEnough("5.14"));
  EXPECT_TRUE(KernelIsNewEnough("6.1.0-18-amd64"));
  EXPECT_FALSE(KernelIsNewEnough("5.10.0"));
  EXPECT_FALSE(KernelIsNewEnough("4.19.0"));
  EXPECT_FALSE(KernelIsNewEnough("odd"));
}

}  // namespace
}  // namespace crisp::cli
