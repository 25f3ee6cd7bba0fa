#include "cri/spec/sysctls.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::NamespaceMode;
using ::testing::HasSubstr;

runtime::v1::PodSandboxConfig With(const std::string& name, const std::string& value) {
  runtime::v1::PodSandboxConfig config;
  (*config.mutable_linux()->mutable_sysctls())[name] = value;
  return config;
}

TEST(ResolveSysctls, DefaultsComeWithAnOwnNetwork) {
  ASSERT_OK_AND_ASSIGN(auto sysctls, ResolveSysctls({}));
  EXPECT_EQ(sysctls["net.ipv4.ip_unprivileged_port_start"], "0");
  ASSERT_OK_AND_ASSIGN(sysctls, ResolveSysctls(With("net.ipv4.ip_unprivileged_port_start", "80")));
  EXPECT_EQ(sysctls["net.ipv4.ip_unprivileged_port_start"], "80");
  runtime::v1::PodSandboxConfig host;
  host.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
      NamespaceMode::NODE);
  EXPECT_THAT(ResolveSysctls(host), IsOkAndHolds(::testing::IsEmpty()));
}

TEST(ResolveSysctls, TakesThoseOfThePodsNamespaces) {
  for (const char* name : {"net.core.somaxconn", "net/core/somaxconn", "kernel.shm_rmid_forced",
                           "kernel.sem", "fs.mqueue.msg_max", "kernel.domainname"}) {
    EXPECT_OK(ResolveSysctls(With(name, "1 2"))) << name;
  }
  ASSERT_OK_AND_ASSIGN(auto sysctls, ResolveSysctls(With("net/core/somaxconn", "5")));
  EXPECT_EQ(sysctls["net.core.somaxconn"], "5");
}

TEST(ResolveSysctls, RefusesTheHosts) {
  for (const char* name :
       {"kernel.core_pattern", "kernel.hostname", "vm.swappiness", "fs.file-max", "kernel.shmfoo",
        "kernel.semaphore", "user.max_user_namespaces", "net..core", ".net.core", "net.core.",
        "net.core/../../kernel/core_pattern", "net/../kernel/core_pattern", "net.core x", ""}) {
    EXPECT_THAT(ResolveSysctls(With(name, "1")),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.linux.sysctls[")))
        << name;
  }
}

TEST(ResolveSysctls, RefusesValuesThatCouldSayMore) {
  for (const char* value : {"", " 1", "1 ", "1\n", "1+kernel.core_pattern=|/x", "a=b", "1\n2"}) {
    EXPECT_THAT(ResolveSysctls(With("kernel.shm_rmid_forced", value)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("value")))
        << value;
  }
}

TEST(ResolveSysctls, RefusesWhatAHostNamespaceWouldTake) {
  auto net = With("net.core.somaxconn", "1");
  net.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
      NamespaceMode::NODE);
  EXPECT_THAT(ResolveSysctls(net), StatusIs(absl::StatusCode::kInvalidArgument));
  auto ipc = With("kernel.msgmax", "1");
  ipc.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_ipc(
      NamespaceMode::NODE);
  EXPECT_THAT(ResolveSysctls(ipc), StatusIs(absl::StatusCode::kInvalidArgument));
  auto twice = With("net.core.somaxconn", "1");
  (*twice.mutable_linux()->mutable_sysctls())["net/core/somaxconn"] = "2";
  EXPECT_THAT(ResolveSysctls(twice),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
}

}  // namespace
}  // namespace crisp::cri
