#include "cri/spec/namespaces.h"

#include <map>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::NamespaceMode;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::map<std::string, std::string> Map(const nlohmann::json& namespaces) {
  std::map<std::string, std::string> out;
  for (const auto& ns : namespaces) out[ns["type"]] = ns.value("path", "");
  return out;
}

struct Case {
  runtime::v1::ContainerConfig config;
  runtime::v1::PodSandboxConfig pod;
  runtime::v1::NamespaceOption* container() {
    return config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }
  runtime::v1::NamespaceOption* sandbox() {
    return pod.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }
  absl::StatusOr<nlohmann::json> Build(pid_t target = 0) {
    return ContainerNamespaces({config, pod, 42, target, "/run/netns/x", false});
  }
};

TEST(SandboxNamespaces, FollowTheModes) {
  Case c;
  EXPECT_THAT(
      Map(SandboxNamespaces(c.pod, "/run/netns/x", true)),
      UnorderedElementsAre(Pair("mount", ""), Pair("network", "/run/netns/x"), Pair("uts", ""),
                           Pair("ipc", ""), Pair("pid", ""), Pair("cgroup", "")));
  c.sandbox()->set_network(NamespaceMode::NODE);
  c.sandbox()->set_ipc(NamespaceMode::NODE);
  c.sandbox()->set_pid(NamespaceMode::NODE);
  EXPECT_THAT(Map(SandboxNamespaces(c.pod, "", false)), UnorderedElementsAre(Pair("mount", "")));
}

TEST(ContainerNamespaces, JoinThePod) {
  Case c;
  ASSERT_OK_AND_ASSIGN(const auto json, c.Build());
  EXPECT_THAT(Map(json),
              UnorderedElementsAre(Pair("mount", ""), Pair("network", "/run/netns/x"),
                                   Pair("uts", "/proc/42/ns/uts"), Pair("ipc", "/proc/42/ns/ipc"),
                                   Pair("pid", "/proc/42/ns/pid")));
}

TEST(ContainerNamespaces, PidModes) {
  Case c;
  c.container()->set_pid(NamespaceMode::CONTAINER);
  ASSERT_OK_AND_ASSIGN(auto json, c.Build());
  EXPECT_EQ(Map(json)["pid"], "");
  EXPECT_EQ(Map(json).count("pid"), 1u);
  c.container()->set_pid(NamespaceMode::TARGET);
  ASSERT_OK_AND_ASSIGN(json, c.Build(77));
  EXPECT_EQ(Map(json)["pid"], "/proc/77/ns/pid");
  EXPECT_THAT(c.Build(0), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("target_id")));
  c.container()->set_pid(NamespaceMode::NODE);
  EXPECT_THAT(c.Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".pid")));
  c.sandbox()->set_pid(NamespaceMode::NODE);
  ASSERT_OK_AND_ASSIGN(json, c.Build());
  EXPECT_EQ(Map(json).count("pid"), 0u);
}

TEST(ContainerNamespaces, TheHostsAreTheSandboxesToGive) {
  Case c;
  c.container()->set_network(NamespaceMode::NODE);
  EXPECT_THAT(c.Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".network")));
  c.sandbox()->set_network(NamespaceMode::NODE);
  ASSERT_OK_AND_ASSIGN(auto json, c.Build());
  EXPECT_EQ(Map(json).count("network"), 0u);
  EXPECT_EQ(Map(json).count("uts"), 0u);
  c.container()->set_ipc(NamespaceMode::NODE);
  EXPECT_THAT(c.Build(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".ipc")));
  c.container()->set_ipc(NamespaceMode::CONTAINER);
  ASSERT_OK_AND_ASSIGN(json, c.Build());
  EXPECT_EQ(Map(json)["ipc"], "");
}

}  // namespace
}  // namespace crisp::cri
