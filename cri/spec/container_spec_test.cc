#include "cri/spec/container_spec.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ContainerSpecTest : public ::testing::Test {
 protected:
  ContainerSpecTest() {
    pod_.mutable_metadata()->set_name("web");
    pod_.mutable_metadata()->set_namespace_("default");
    pod_.mutable_metadata()->set_uid("u1");
    config_.mutable_metadata()->set_name("main");
    config_.mutable_image()->set_image("busybox");
    config_.add_command("sh");
    host_.seccomp = true;
    host_.kernel_major = 6;
    host_.kernel_minor = 1;
    host_.capability_bounds = ~uint64_t{0};
    host_.cgroup_controllers = {"cpu", "memory", "pids"};
    host_.can_raise_limits = true;
  }

  absl::StatusOr<nlohmann::json> Build() {
    ContainerSpecInput input{config_, pod_, image_, host_, &seccomp()};
    input.container_id = "c1";
    input.sandbox_id = "s1";
    input.pause_pid = 42;
    input.netns_path = "/run/netns/s1";
    input.hostname = "web";
    input.cgroup_path = "/pods/c1";
    input.shm_path = "/run/s1/shm";
    input.hosts_path = "/run/s1/hosts";
    input.hostname_path = "/run/s1/hostname";
    input.resolv_path = "/run/s1/resolv.conf";
    input.extra_mounts = extra_;
    input.pids_limit = 100;
    return BuildContainerSpec(input);
  }
  SeccompProfiles& seccomp() {
    static SeccompProfiles profiles(host_);
    return profiles;
  }
  runtime::v1::LinuxContainerSecurityContext* security() {
    return config_.mutable_linux()->mutable_security_context();
  }
  void AddMount(const std::string& host, const std::string& container) {
    auto* mount = config_.add_mounts();
    mount->set_host_path(host);
    mount->set_container_path(container);
  }
  static std::vector<std::string> Destinations(const nlohmann::json& spec) {
    std::vector<std::string> out;
    for (const auto& mount : spec["mounts"]) out.push_back(mount["destination"]);
    return out;
  }
  static nlohmann::json MountAt(const nlohmann::json& spec, const std::string& destination) {
    for (const auto& mount : spec["mounts"]) {
      if (mount["destination"] == destination) return mount;
    }
    return {};
  }

  runtime::v1::ContainerConfig config_;
  runtime::v1::PodSandboxConfig pod_;
  ImageConfigView image_;
  HostFacts host_;
  std::vector<SpecMount> extra_;
};

TEST_F(ContainerSpecTest, DefaultsConfine) {
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(spec["process"]["capabilities"]["bounding"].size(), 14u);
  EXPECT_EQ(spec["process"]["noNewPrivileges"], false);
  EXPECT_FALSE(spec["linux"].contains("seccomp"));  // No profile means unconfined, says CRI.
  EXPECT_TRUE(spec["linux"]["maskedPaths"].empty());
  EXPECT_EQ(spec["linux"]["resources"]["devices"][0]["allow"], false);
  EXPECT_EQ(spec["linux"]["resources"]["pids"]["limit"], 100);
  EXPECT_EQ(spec["linux"]["cgroupsPath"], "/pods/c1");
  EXPECT_FALSE(spec.contains("hostname"));
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.container-name"], "main");
  EXPECT_EQ(spec["annotations"]["io.kubernetes.cri.image-name"], "busybox");
  EXPECT_THAT(Destinations(spec),
              ElementsAre("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/sys/fs/cgroup",
                          "/dev/shm", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"));
  EXPECT_THAT(MountAt(spec, "/sys")["options"].dump(), HasSubstr("\"ro\""));
  EXPECT_THAT(spec["linux"]["namespaces"].dump(), HasSubstr("cgroup"));
  EXPECT_NO_THROW((void)spec.dump());
}

TEST_F(ContainerSpecTest, RequestedPathsAndProfile) {
  security()->add_masked_paths("/proc/kcore");
  security()->add_readonly_paths("/proc/sys");
  security()->mutable_seccomp();  // RuntimeDefault
  security()->set_readonly_rootfs(true);
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(spec["linux"]["maskedPaths"], nlohmann::json({"/proc/kcore"}));
  EXPECT_EQ(spec["linux"]["readonlyPaths"], nlohmann::json({"/proc/sys"}));
  EXPECT_EQ(spec["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(spec["root"]["readonly"], true);
  EXPECT_THAT(MountAt(spec, "/etc/hosts")["options"].dump(), HasSubstr("\"ro\""));
  security()->add_masked_paths("proc");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("config.linux.security_context.masked_paths[1]")));
}

TEST_F(ContainerSpecTest, PrivilegedNeedsAPrivilegedPod) {
  security()->set_privileged(true);
  security()->add_masked_paths("/proc/kcore");
  security()->mutable_seccomp();
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("config.linux.security_context.privileged")));
  pod_.mutable_linux()->mutable_security_context()->set_privileged(true);
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_FALSE(spec["linux"].contains("maskedPaths"));
  EXPECT_FALSE(spec["linux"].contains("seccomp"));
  EXPECT_EQ(spec["process"]["capabilities"]["bounding"].size(), 41u);
  EXPECT_EQ(spec["linux"]["resources"]["devices"].size(), 1u);
  EXPECT_THAT(spec["linux"]["namespaces"].dump(), ::testing::Not(HasSubstr("\"cgroup\"")));
  EXPECT_THAT(MountAt(spec, "/sys")["options"].dump(), HasSubstr("\"rw\""));
}

TEST_F(ContainerSpecTest, MountsReplaceDefaults) {
  AddMount("/etc/passwd", "/etc/hosts");
  AddMount("/tmp", "/dev/shm");
  extra_ = {{"/tmp/server.xml", "/etc/hostname", true}, {"/data/deep", "/etc"}};
  AddMount("/etc", "/data");
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(MountAt(spec, "/etc/hosts")["source"], "/etc/passwd");
  EXPECT_EQ(MountAt(spec, "/dev/shm")["source"], "/tmp");
  const auto destinations = Destinations(spec);
  EXPECT_EQ(std::count(destinations.begin(), destinations.end(), "/etc/hosts"), 1);
  EXPECT_LT(std::find(destinations.begin(), destinations.end(), "/data"),
            std::find(destinations.begin(), destinations.end(), "/data/deep"));
  extra_.push_back({"/data", "/etc"});
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/data")));
}

TEST_F(ContainerSpecTest, AnOwnDevReplacesAllBelow) {
  AddMount("/dev", "/dev");
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(MountAt(spec, "/dev")["source"], "/dev");
  EXPECT_TRUE(MountAt(spec, "/dev/pts").is_null());
  EXPECT_TRUE(MountAt(spec, "/dev/shm").is_null());
}

TEST_F(ContainerSpecTest, AnOwnIpcNamespaceHasItsOwnShm) {
  security()->mutable_namespace_options()->set_ipc(runtime::v1::NamespaceMode::CONTAINER);
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_EQ(MountAt(spec, "/dev/shm")["type"], "tmpfs");
}

TEST_F(ContainerSpecTest, ABadFieldLeavesTheHostAlone) {
  const char* base = std::getenv("TEST_TMPDIR");
  const std::string missing = std::string(base != nullptr ? base : "/tmp") + "/not-made";
  AddMount(missing, "/data");
  security()->mutable_capabilities()->add_add_capabilities("FOO");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"FOO\"")));
  EXPECT_NE(::access(missing.c_str(), F_OK), 0);
}

TEST_F(ContainerSpecTest, CgroupV1HasNoNamespace) {
  host_.cgroup_mode = CgroupMode::kHybrid;
  ASSERT_OK_AND_ASSIGN(const auto spec, Build());
  EXPECT_THAT(spec["linux"]["namespaces"].dump(), ::testing::Not(HasSubstr("\"cgroup\"")));
  EXPECT_THAT(MountAt(spec, "/sys/fs/cgroup")["options"].dump(),
              ::testing::Not(HasSubstr("nsdelegate")));
}

}  // namespace
}  // namespace crisp::cri
