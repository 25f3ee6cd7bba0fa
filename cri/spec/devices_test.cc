#include "cri/spec/devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

runtime::v1::ContainerConfig With(const std::string& host, const std::string& path,
                                  const std::string& access) {
  runtime::v1::ContainerConfig config;
  auto* device = config.add_devices();
  device->set_host_path(host);
  device->set_container_path(path);
  device->set_permissions(access);
  return config;
}

TEST(BuildDevices, DeniesAllFirst) {
  ASSERT_OK_AND_ASSIGN(const OciDevices devices, BuildDevices({}, false));
  EXPECT_TRUE(devices.nodes.empty());
  EXPECT_EQ(devices.rules[0], nlohmann::json({{"allow", false}, {"access", "rwm"}}));
  EXPECT_EQ(devices.rules, DefaultDeviceRules());
}

TEST(BuildDevices, AddsWhatIsAskedFor) {
  ASSERT_OK_AND_ASSIGN(const OciDevices devices,
                       BuildDevices(With("/dev/null", "/dev/nothing", "rw"), false));
  ASSERT_EQ(devices.nodes.size(), 1u);
  EXPECT_EQ(devices.nodes[0]["path"], "/dev/nothing");
  EXPECT_EQ(devices.nodes[0]["type"], "c");
  EXPECT_EQ(devices.nodes[0]["major"], 1);
  EXPECT_EQ(devices.nodes[0]["minor"], 3);
  EXPECT_EQ(devices.rules.back(),
            nlohmann::json(
                {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 3}, {"access", "rw"}}));
}

TEST(BuildDevices, ExpandsADirectory) {
  ASSERT_OK_AND_ASSIGN(const OciDevices devices,
                       BuildDevices(With("/dev", "/host/dev", "r"), false));
  bool null = false;
  for (const auto& node : devices.nodes) {
    const std::string path = node["path"];
    EXPECT_THAT(path, ::testing::StartsWith("/host/dev/"));
    EXPECT_THAT(path, ::testing::Not(HasSubstr("/pts/")));
    null |= path == "/host/dev/null";
  }
  EXPECT_TRUE(null);
}

TEST(BuildDevices, WhatIsBelowANameThatIsNoTextIsLeftOut) {
  const std::string top = ::testing::TempDir() + "/devices";
  const std::string odd = top + "/\xff";
  ASSERT_OK(MakeDirs(odd, 0700));
  for (const std::string& directory : {top, odd}) {
    if (::mknod((directory + "/null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) {
      GTEST_SKIP() << "devices cannot be made here: " << ErrnoName(errno);
    }
  }
  ASSERT_OK_AND_ASSIGN(const OciDevices devices, BuildDevices(With(top, "/dev/odd", "r"), false));
  ASSERT_EQ(devices.nodes.size(), 1u);
  EXPECT_EQ(devices.nodes[0]["path"], "/dev/odd/null");
  EXPECT_OK(RemoveTree(top));
}

TEST(BuildDevices, PrivilegedGetsTheHosts) {
  ASSERT_OK_AND_ASSIGN(const OciDevices devices, BuildDevices({}, true));
  EXPECT_GE(devices.nodes.size(), 4u);
  EXPECT_EQ(devices.rules, nlohmann::json::array({{{"allow", true}, {"access", "rwm"}}}));
}

TEST(BuildDevices, RefusesByField) {
  const auto refuses = [](const runtime::v1::ContainerConfig& config, const char* reason) {
    EXPECT_THAT(BuildDevices(config, false),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)));
  };
  refuses(With("/dev/null", "/dev/x", "rwx"), "config.devices[0].permissions");
  refuses(With("/dev/null", "/dev/x", "rr"), "config.devices[0].permissions");
  refuses(With("/dev/null", "/dev/../x", "r"), "config.devices[0].container_path");
  refuses(With("dev/null", "/dev/x", "r"), "config.devices[0].host_path");
  refuses(With("/dev/none-such", "/dev/x", "r"), "ENOENT");
  refuses(With("/etc/passwd", "/dev/x", "r"), "not a device");
  refuses(With("/etc/apt", "/dev/x", "r"), "no device");
}

}  // namespace
}  // namespace crisp::cri
