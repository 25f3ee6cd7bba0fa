#include "netns/cni/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::netns {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

PodAttachment Pod() {
  return {.sandbox_id = "abc", .pod_name = "web", .pod_namespace = "shop", .pod_uid = "u-1"};
}

TEST(CniArgsTest, HasWhatKubernetesRuntimesPass) {
  ASSERT_OK_AND_ASSIGN(const CniArgs args, MakeCniArgs(Pod()));
  EXPECT_EQ(CniArgsText(args),
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;"
            "K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1");
}

TEST(CniArgsTest, RefusesAValueThatSmugglesInAnotherPair) {
  PodAttachment pod = Pod();
  pod.pod_name = "web;K8S_POD_NAMESPACE=kube-system";
  EXPECT_THAT(MakeCniArgs(pod), StatusIs(kInvalid, HasSubstr("K8S_POD_NAME")));
}

TEST(CapabilityArgsTest, HoldsOnlyWhatThePodHas) {
  EXPECT_EQ(*MakeCapabilityArgs(Pod()), json::object());
  PodAttachment pod = Pod();
  pod.ports = {{"TCP", 80, 8080, ""}, {"tcp", 81, 0, ""}};
  pod.dns.servers = {"10.0.0.10"};
  pod.cgroup_parent = "/kubepods/x";
  pod.annotations = {{"kubernetes.io/ingress-bandwidth", "10M"}};
  ASSERT_OK_AND_ASSIGN(const json args, MakeCapabilityArgs(pod));
  EXPECT_EQ(args, json::parse(R"({
      "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}],
      "bandwidth": {"ingressRate": 10000000, "ingressBurst": 4294967295},
      "dns": {"servers": ["10.0.0.10"], "searches": [], "options": []},
      "cgroupPath": "/kubepods/x",
      "io.kubernetes.cri.pod-annotations": {"kubernetes.io/ingress-bandwidth": "10M"}})"));
}

TEST(CapabilityArgsTest, ABadBandwidthNamesItsAnnotation) {
  PodAttachment pod = Pod();
  pod.annotations = {{"kubernetes.io/egress-bandwidth", "fast"}};
  EXPECT_THAT(MakeCapabilityArgs(pod), StatusIs(kInvalid, HasSubstr("egress-bandwidth")));
}

TEST(RuntimeConfigTest, GivesAPluginOnlyWhatItDeclares) {
  const json args = {{"portMappings", json::array()}, {"dns", json::object()}};
  EXPECT_EQ(RuntimeConfigFor(
                json::parse(R"({"capabilities": {"portMappings": true, "dns": false, "x": true}})"),
                args),
            json::parse(R"({"portMappings": []})"));
  EXPECT_EQ(RuntimeConfigFor(json::object(), args), json::object());
  EXPECT_EQ(RuntimeConfigFor(json::parse(R"({"capabilities": 7})"), args), json::object());
}

TEST(BandwidthTest, ReadsQuantities) {
  EXPECT_THAT(ParseBandwidth("1000"), IsOkAndHolds(1000u));
  EXPECT_THAT(ParseBandwidth("1k"), IsOkAndHolds(1000u));
  EXPECT_THAT(ParseBandwidth("1.5Ki"), IsOkAndHolds(1536u));
  EXPECT_THAT(ParseBandwidth("10Gi"), IsOkAndHolds(10737418240u));
  EXPECT_THAT(ParseBandwidth("1e6"), IsOkAndHolds(1000000u));
  EXPECT_THAT(ParseBandwidth("1P"), IsOkAndHolds(1000000000000000u));
  for (const char* text :
       {"", "M", "-1M", "999", "2P", "1E", "10 M", "1..5M", "10MB", "1e999", "0x10M", "nan"}) {
    EXPECT_THAT(ParseBandwidth(text), StatusIs(kInvalid)) << text;
  }
}

}  // namespace
}  // namespace crisp::netns
