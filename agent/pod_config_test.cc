#include "agent/pod_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/manifest/documents.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using runtime::v1::NamespaceMode;
using runtime::v1::SecurityProfile;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Pod Read(const std::string& spec) {
  auto documents = ParseDocuments(
      "test", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"prod",)"
              R"("labels":{"app":"shop"},"annotations":{"note":"x"}},"spec":)" +
                  spec + "}");
  EXPECT_OK(documents);
  return std::get<Pod>(documents->at(0).object);
}

std::string OneContainer(const std::string& fields, const std::string& spec = "") {
  return R"({"containers":[{"name":"c","image":"busybox")" + (fields.empty() ? "" : "," + fields) +
         "}]" + (spec.empty() ? "" : "," + spec) + "}";
}

constexpr int64_t kNodeMemory = int64_t{1000} << 20;

runtime::v1::ContainerConfig Make(const Pod& pod, const ImageFacts& image = {"sha256:1"},
                                  const Environment& environment = {}) {
  auto config =
      MakeContainerConfig(pod, pod.containers[0], {"uid-1"}, image, environment, kNodeMemory);
  EXPECT_OK(config);
  return *config;
}

TEST(PodConfigTest, SandboxCarriesIdentityVolumesAndHash) {
  const Pod pod = Read(OneContainer(
      R"("volumeMounts":[{"name":"v","mountPath":"/v"}],"ports":[{"containerPort":80,"hostPort":8080,"protocol":"UDP"},{"containerPort":81}])",
      R"("volumes":[{"name":"v","emptyDir":{}}],"securityContext":{"fsGroup":7,"supplementalGroups":[8],"runAsUser":5})"));
  const auto config = MakeSandboxConfig(pod, {"uid-1", 2, "/logs/x"});
  EXPECT_EQ(config.metadata().name(), "web");
  EXPECT_EQ(config.metadata().uid(), "uid-1");
  EXPECT_EQ(config.metadata().attempt(), 2u);
  EXPECT_EQ(config.hostname(), "web");
  EXPECT_EQ(config.log_directory(), "/logs/x");
  EXPECT_EQ(config.labels().at("app"), "shop");
  EXPECT_EQ(config.labels().at("io.kubernetes.pod.namespace"), "prod");
  EXPECT_EQ(config.annotations().at("note"), "x");
  EXPECT_EQ(config.annotations().at("io.crisp.volumes"), R"([{"emptyDir":{},"name":"v"}])");
  EXPECT_EQ(config.annotations().at("io.crisp.fs-group"), "7");
  EXPECT_EQ(config.annotations().at("io.crisp.spec-hash").size(), 64u);
  ASSERT_EQ(config.port_mappings_size(), 1);
  EXPECT_EQ(config.port_mappings(0).protocol(), runtime::v1::UDP);
  EXPECT_FALSE(config.has_dns_config());
  EXPECT_THAT(config.linux().security_context().supplemental_groups(), ElementsAre(7, 8));
  EXPECT_EQ(config.linux().security_context().run_as_user().value(), 5);
}

TEST(PodConfigTest, HashFollowsEveryChange) {
  const Pod a = Read(OneContainer(""));
  Pod b = a;
  EXPECT_EQ(SpecHash(a), SpecHash(b));
  b.labels["app"] = "other";
  EXPECT_NE(SpecHash(a), SpecHash(b));
  EXPECT_NE(SpecHash(a), SpecHash(Read(OneContainer(R"("tty":true)"))));
}

TEST(PodConfigTest, Namespaces) {
  const auto options = [](const std::string& spec) {
    return MakeSandboxConfig(Read(OneContainer("", spec)), {})
        .linux()
        .security_context()
        .namespace_options();
  };
  EXPECT_EQ(options("").network(), NamespaceMode::POD);
  EXPECT_EQ(options("").pid(), NamespaceMode::CONTAINER);
  EXPECT_EQ(options(R"("hostNetwork":true)").network(), NamespaceMode::NODE);
  EXPECT_EQ(options(R"("hostPID":true)").pid(), NamespaceMode::NODE);
  EXPECT_EQ(options(R"("hostIPC":true)").ipc(), NamespaceMode::NODE);
  EXPECT_EQ(options(R"("shareProcessNamespace":true)").pid(), NamespaceMode::POD);
  EXPECT_EQ(MakeSandboxConfig(Read(OneContainer("", R"("hostNetwork":true)")), {}).hostname(), "");
}

TEST(PodConfigTest, AUserNamespaceIsThePodsTheContainersAndTheMounts) {
  EXPECT_FALSE(MakeSandboxConfig(Read(OneContainer("")), {})
                   .linux()
                   .security_context()
                   .namespace_options()
                   .has_userns_options())
      << "nothing is said of pods that do not ask";
  const auto is_first_range = [](const auto& mappings) {
    return mappings.size() == 1 && mappings[0].container_id() == 0 &&
           mappings[0].host_id() == 131072 && mappings[0].length() == 65536;
  };
  const Pod pod = Read(OneContainer("", R"("hostUsers":false)"));
  PodInstance instance;
  instance.first_host_id = 131072;
  ContainerInstanceConfig start;
  start.mounts = {{"/dev/termination-log", "/host/file"}};
  const auto sandbox = MakeSandboxConfig(pod, instance);
  ASSERT_OK_AND_ASSIGN(
      const auto container,
      MakeContainerConfig(pod, pod.containers[0], instance, {"sha256:1"}, {}, kNodeMemory, start));
  for (const auto& options : {sandbox.linux().security_context().namespace_options(),
                              container.linux().security_context().namespace_options()}) {
    EXPECT_EQ(options.userns_options().mode(), NamespaceMode::POD);
    EXPECT_TRUE(is_first_range(options.userns_options().uids()));
    EXPECT_TRUE(is_first_range(options.userns_options().gids()));
  }
  EXPECT_TRUE(is_first_range(container.mounts(0).uidmappings()));
  EXPECT_TRUE(is_first_range(container.mounts(0).gidmappings()));
  const auto without = MakeSandboxConfig(pod, {});
  const auto& users = without.linux().security_context().namespace_options().userns_options();
  EXPECT_EQ(users.mode(), NamespaceMode::POD) << "which no runtime takes without ids";
  EXPECT_TRUE(users.uids().empty());
}

TEST(PodConfigTest, DnsConfigAddsToTheNodesResolver) {
  PodInstance instance;
  instance.host_resolv_conf = "# c\nnameserver 10.0.0.1\nsearch a b\noptions ndots:5\n";
  const auto dns = [&](const std::string& spec) {
    return MakeSandboxConfig(Read(OneContainer("", spec)), instance).dns_config();
  };
  const auto added = dns(R"("dnsConfig":{"nameservers":["1.1.1.1"],"searches":["c"]})");
  EXPECT_THAT(added.servers(), ElementsAre("10.0.0.1", "1.1.1.1"));
  EXPECT_THAT(added.searches(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(added.options(), ElementsAre("ndots:5"));
  const auto own = dns(R"("dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"]})");
  EXPECT_THAT(own.servers(), ElementsAre("1.1.1.1"));
  EXPECT_THAT(own.searches(), IsEmpty());
}

TEST(PodConfigTest, ResourcesAsKubeletSetsThem) {
  const auto limits =
      Make(Read(OneContainer(R"("resources":{"limits":{"cpu":"500m","memory":"100Mi"}})")))
          .linux()
          .resources();
  EXPECT_EQ(limits.cpu_quota(), 50000);
  EXPECT_EQ(limits.cpu_period(), 100000);
  EXPECT_EQ(limits.cpu_shares(), 512);
  EXPECT_EQ(limits.memory_limit_in_bytes(), 100 << 20);
  EXPECT_EQ(limits.oom_score_adj(), -997);  // Guaranteed.

  const auto none = Make(Read(OneContainer(""))).linux().resources();
  EXPECT_EQ(none.cpu_quota(), 0);
  EXPECT_EQ(none.cpu_shares(), 2);
  EXPECT_EQ(none.oom_score_adj(), 1000);

  const auto request =
      Make(Read(OneContainer(R"("resources":{"requests":{"cpu":"1","memory":"100Mi"}})")))
          .linux()
          .resources();
  EXPECT_EQ(request.cpu_shares(), 1024);
  EXPECT_EQ(request.cpu_quota(), 0);
  EXPECT_EQ(request.oom_score_adj(), 900);  // A tenth of the node's memory.

  const auto tiny =
      Make(Read(OneContainer(R"("resources":{"limits":{"cpu":"1m"}})"))).linux().resources();
  EXPECT_EQ(tiny.cpu_quota(), 1000);
  EXPECT_EQ(tiny.cpu_shares(), 2);
}

TEST(PodConfigTest, SecurityDefaultsAreTight) {
  const auto context = Make(Read(OneContainer(""))).linux().security_context();
  EXPECT_EQ(context.seccomp().profile_type(), SecurityProfile::RuntimeDefault);
  EXPECT_THAT(context.masked_paths(), Contains("/proc/kcore"));
  EXPECT_THAT(context.readonly_paths(), Contains("/proc/sys"));
  EXPECT_FALSE(context.privileged());
  EXPECT_FALSE(context.no_new_privs());
  EXPECT_FALSE(context.has_run_as_user());
}

TEST(PodConfigTest, SecurityContainerOverPod) {
  const auto context =
      Make(
          Read(OneContainer(
              R"("securityContext":{"runAsUser":2,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"add":["NET_RAW"],"drop":["ALL"]}})",
              R"("securityContext":{"runAsUser":1,"runAsGroup":3,"seccompProfile":{"type":"Localhost","localhostProfile":"p/x.json"}})")))
          .linux()
          .security_context();
  EXPECT_EQ(context.run_as_user().value(), 2);
  EXPECT_EQ(context.run_as_group().value(), 3);
  EXPECT_TRUE(context.no_new_privs());
  EXPECT_TRUE(context.readonly_rootfs());
  EXPECT_EQ(context.seccomp().profile_type(), SecurityProfile::Localhost);
  EXPECT_EQ(context.seccomp().localhost_ref(), "/var/lib/crisp/seccomp/p/x.json");
  EXPECT_THAT(context.capabilities().add_capabilities(), ElementsAre("NET_RAW"));
  EXPECT_THAT(context.capabilities().drop_capabilities(), ElementsAre("ALL"));

  const auto privileged = Make(Read(OneContainer(R"("securityContext":{"privileged":true})")))
                              .linux()
                              .security_context();
  EXPECT_EQ(privileged.seccomp().profile_type(), SecurityProfile::Unconfined);
  EXPECT_THAT(privileged.masked_paths(), IsEmpty());
}

TEST(PodConfigTest, GroupAloneTakesTheImagesUser) {
  const Pod pod = Read(OneContainer(R"("securityContext":{"runAsGroup":3})"));
  ImageFacts numeric{"sha256:1", true, 42, ""};
  EXPECT_EQ(Make(pod, numeric).linux().security_context().run_as_user().value(), 42);
  ImageFacts named{"sha256:1", false, 0, "app"};
  EXPECT_EQ(Make(pod, named).linux().security_context().run_as_username(), "app");
}

TEST(PodConfigTest, RunAsNonRootIsKept) {
  const auto make = [](const std::string& fields, const ImageFacts& image) {
    const Pod pod = Read(OneContainer("\"securityContext\":{\"runAsNonRoot\":true" + fields + "}"));
    return MakeContainerConfig(pod, pod.containers[0], {}, image, {}, kNodeMemory).status();
  };
  EXPECT_OK(make(R"(,"runAsUser":5)", {"sha256:1"}));
  EXPECT_OK(make("", {"sha256:1", true, 42, ""}));
  for (const auto& [fields, image] : std::vector<std::pair<std::string, ImageFacts>>{
           {"", {"sha256:1"}},
           {"", {"sha256:1", true, 0, ""}},
           {"", {"sha256:1", false, 0, "app"}},
           {R"(,"runAsUser":0)", {"sha256:1", true, 42, ""}}}) {
    EXPECT_THAT(make(fields, image),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("runAsNonRoot")));
  }
}

TEST(PodConfigTest, CommandAndArgsExpandVariables) {
  const auto config =
      Make(Read(OneContainer(R"json("command":["$(A)"],"args":["$(B)","$$(A)"])json")),
           {"sha256:1"}, {{"A", "sh"}});
  EXPECT_THAT(config.command(), ElementsAre("sh"));
  EXPECT_THAT(config.args(), ElementsAre("$(B)", "$(A)"));
  EXPECT_EQ(config.envs(0).value(), "sh");
  EXPECT_EQ(config.log_path(), "c/0.log");
  EXPECT_EQ(config.image().image(), "sha256:1");
  EXPECT_EQ(config.image().user_specified_image(), "busybox");
}

}  // namespace
}  // namespace crisp::agent
