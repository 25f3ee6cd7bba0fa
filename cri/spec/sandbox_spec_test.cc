#include "cri/spec/sandbox_spec.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

class SandboxSpecTest : public ::testing::Test {
 protected:
  SandboxSpecTest() {
    config_.mutable_metadata()->set_name("web");
    config_.mutable_metadata()->set_namespace_("default");
    config_.mutable_metadata()->set_uid("u1");
    host_.seccomp = true;
    host_.kernel_major = 6;
    host_.cgroup_mode = CgroupMode::kV2;
  }
  absl::StatusOr<nlohmann::json> Build() {
    SandboxSpecInput input{config_, host_, &seccomp()};
    input.sandbox_id = "abc";
    input.netns_path = "/run/netns/abc";
    input.hostname = "web";
    input.cgroup_path = "/pods/abc";
    input.shm_path = "/run/shm";
    input.mounts = {{"/volumes/b", "/host/b"}, {"/volumes", "/host"}};
    return BuildSandboxSpec(input);
  }
  SeccompProfiles& seccomp() {
    static SeccompProfiles profiles(host_);
    return profiles;
  }
  runtime::v1::PodSandboxConfig config_;
  HostFacts host_;
};

TEST_F(SandboxSpecTest, PauseHasNothing) {
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(spec["process"]["args"], nlohmann::json({"/pause"}));
  EXPECT_EQ(spec["process"]["noNewPrivileges"], true);
  EXPECT_TRUE(spec["process"]["capabilities"]["bounding"].empty());
  EXPECT_EQ(spec["root"]["readonly"], true);
  EXPECT_EQ(spec["hostname"], "web");
  EXPECT_EQ(spec["process"]["oomScoreAdj"], 0);  // Clamped: no CAP_SYS_RESOURCE here.
  // It never runs; its start, in that cgroup, shall not be starved on a busy node.
  EXPECT_FALSE(spec["linux"]["resources"].contains("cpu"));
  EXPECT_EQ(spec["linux"]["resources"]["devices"][0]["allow"], false);
  EXPECT_EQ(spec["linux"]["cgroupsPath"], "/pods/abc");
  EXPECT_EQ(spec["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(spec["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"], "0");
  EXPECT_THAT(spec["linux"]["maskedPaths"].dump(), HasSubstr("/proc/kcore"));
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.container-type"], "sandbox");
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.sandbox-id"], "abc");
  const auto& mounts = spec["mounts"];
  EXPECT_EQ(mounts.back()["destination"], "/volumes/b");
  EXPECT_EQ(mounts[mounts.size() - 2]["destination"], "/volumes");
}

TEST_F(SandboxSpecTest, SysIsWritableForPrivilegedPodsOnly) {
  const auto sys_options = [&] {
    const auto spec = Build();
    for (const auto& mount : (*spec)["mounts"]) {
      if (mount["destination"] == "/sys") return mount["options"].dump();
    }
    return std::string();
  };
  EXPECT_THAT(sys_options(), HasSubstr("\"ro\""));
  config_.mutable_linux()->mutable_security_context()->set_privileged(true);
  EXPECT_THAT(sys_options(), HasSubstr("\"rw\""));
}

TEST_F(SandboxSpecTest, APodThatOwnsItsMountsHasNoOthers) {
  SandboxSpecInput input{config_, host_, &seccomp()};
  input.netns_path = "/run/netns/abc";
  input.shm_path = "/run/shm";
  input.owns_mounts = true;
  input.tmpfs = {{"/volumes", 4096}, {"/volumes/cache", 0, "0777"}};
  ASSERT_OK_AND_ASSIGN(auto spec, BuildSandboxSpec(input));
  const auto& mounts = spec["mounts"];
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(mounts[0]["destination"], "/dev/shm");
  EXPECT_EQ(mounts[0]["type"], "tmpfs");
  EXPECT_EQ(mounts[1]["options"], nlohmann::json({"nosuid", "nodev", "mode=0700", "size=4096"}));
  EXPECT_EQ(mounts[2]["options"], nlohmann::json({"nosuid", "nodev", "mode=0777"}));
  EXPECT_FALSE(spec["linux"].contains("maskedPaths"));

  // Privileged containers of the pod may write /sys.
  config_.mutable_linux()->mutable_security_context()->set_privileged(true);
  config_.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_ipc(
      runtime::v1::NamespaceMode::NODE);
  input.tmpfs.clear();
  ASSERT_OK_AND_ASSIGN(spec, BuildSandboxSpec(input));
  ASSERT_EQ(spec["mounts"].size(), 1u);
  EXPECT_EQ(spec["mounts"][0]["destination"], "/sys");
}

TEST_F(SandboxSpecTest, AUserNamespaceIsJoinedAndHasWhatContainersNeedToSee) {
  auto* users = config_.mutable_linux()
                    ->mutable_security_context()
                    ->mutable_namespace_options()
                    ->mutable_userns_options();
  for (auto* ids : {users->mutable_uids(), users->mutable_gids()}) {
    auto* map = ids->Add();
    map->set_host_id(100000);
    map->set_length(65536);
  }
  host_.kernel_minor = 9;
  SandboxSpecInput input{config_, host_, &seccomp()};
  input.netns_path = "/run/netns/abc";
  input.userns_path = "/proc/7/ns/user";
  input.owns_mounts = true;
  ASSERT_OK_AND_ASSIGN(const auto spec, BuildSandboxSpec(input));
  EXPECT_THAT(spec["linux"]["namespaces"].dump(), HasSubstr("/proc/7/ns/user"));
  EXPECT_EQ(spec["linux"]["uidMappings"],
            nlohmann::json({{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}}));
  EXPECT_EQ(spec["mounts"][0]["destination"], "/proc");
  EXPECT_EQ(spec["mounts"][1]["destination"], "/sys");
  // Groups that are not mapped cannot be named.
  EXPECT_EQ(spec["linux"]["sysctl"]["net.ipv4.ping_group_range"], "0 65535");
}

TEST_F(SandboxSpecTest, HostNetworkHasTheHostsName) {
  config_.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
      runtime::v1::NamespaceMode::NODE);
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_FALSE(spec.contains("hostname"));
  EXPECT_FALSE(spec["linux"].contains("sysctl"));
  EXPECT_THAT(spec["linux"]["namespaces"].dump(), ::testing::Not(HasSubstr("network")));
}

TEST_F(SandboxSpecTest, BadInputIsNamed) {
  (*config_.mutable_linux()->mutable_sysctls())["kernel.core_pattern"] = "|/x";
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("config.linux.sysctls[\"kernel.core_pattern\"]")));
  config_.clear_metadata();
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.metadata")));
}

}  // namespace
}  // namespace crisp::cri
