// Pods on real bridges: the built-in network, and the reference CNI plugins. The
// "host" is a network namespace of the test's own.
#include "netns/pod_network.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "netns/in_netns.h"
#include "netns/net_ns.h"
#include "netns/rtnl.h"
#include "netns/testing/fake_plugin.h"
#include "netns/testing/private_host.h"
#include "netns/testing/sockets.h"

namespace crisp::netns {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kPluginDir[] = "/usr/lib/cni";

std::string Output(const std::vector<std::string>& argv) {
  const auto result =
      RunProcess({.argv = argv, .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}});
  return result.ok() ? result->out + result->err : result.status().ToString();
}

std::vector<std::string> FilesIn(const std::string& dir) {
  std::vector<std::string> names;
  if (DIR* stream = ::opendir(dir.c_str())) {
    while (const dirent* entry = ::readdir(stream)) {
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    ::closedir(stream);
  }
  return names;
}

class PodNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    CRISP_SKIP_WITHOUT_PRIVATE_HOST();
    root_ = FreshDir("pods");
    options_.conf_dir = root_ + "/net.d";
    options_.bin_dirs = {root_ + "/bin", kPluginDir};
    options_.cache_dir = root_ + "/cache";
    options_.builtin_state_dir = root_ + "/builtin";
    ASSERT_EQ(::mkdir(options_.conf_dir.c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((root_ + "/bin").c_str(), 0755), 0);
    network_ = MakePodNetwork(options_);
  }

  void TearDown() override {
    for (const PodAttachment& pod : pods_) {
      EXPECT_OK(network_->Release(pod));
      EXPECT_OK(NetNs::Remove(pod.netns_path));
    }
    if (network_ == nullptr) return;
    EXPECT_OK(network_->RemoveBuiltin());
    EXPECT_THAT(FilesIn(options_.cache_dir + "/attempts"), IsEmpty());
  }

  PodAttachment NewPod(const std::string& name) {
    PodAttachment pod{.sandbox_id = NewId(), .pod_name = name, .pod_namespace = "shop"};
    const auto ns = NetNs::Create(root_ + "/netns", pod.sandbox_id);
    EXPECT_OK(ns.status());
    pod.netns_path = NetNs::PathFor(root_ + "/netns", pod.sandbox_id);
    pods_.push_back(pod);
    return pod;
  }

  std::string MustAttach(const PodAttachment& pod) {
    const auto result = network_->Attach(pod);
    EXPECT_OK(result.status());
    return result.ok() ? result->ips.at(0) : "";
  }

  std::vector<std::string> PodLinks() {
    std::vector<std::string> names;
    auto rtnl = Rtnl::Open();
    EXPECT_OK(rtnl.status());
    const auto links = rtnl->Links();
    EXPECT_OK(links.status());
    if (!links.ok()) return names;
    for (const Link& link : *links) {
      if (link.kind == "veth") names.push_back(link.name);
    }
    return names;
  }

  std::string root_;
  PodNetworkOptions options_;
  std::unique_ptr<PodNetwork> network_;
  std::vector<PodAttachment> pods_;
};

TEST_F(PodNetworkTest, BuiltinPodsReachEachOtherAndTheHost) {
  EXPECT_OK(network_->Ready());
  const PodAttachment a = NewPod("a");
  const PodAttachment b = NewPod("b");
  const std::string ip_a = MustAttach(a);
  const std::string ip_b = MustAttach(b);
  EXPECT_EQ(ip_a, "10.85.0.2");
  EXPECT_EQ(ip_b, "10.85.0.3");
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(b.netns_path, "tcp", 80));
  EXPECT_THAT(WhoAmI(a.netns_path, "tcp", ip_b, 80), IsOkAndHolds(ip_a));
  EXPECT_THAT(WhoAmI("", "tcp", ip_b, 80), IsOkAndHolds("10.85.0.1"));
  ASSERT_OK_AND_ASSIGN(auto host, WhoAmIServer::Start("", "tcp", 81));
  EXPECT_THAT(WhoAmI(a.netns_path, "tcp", "10.85.0.1", 81), IsOkAndHolds(ip_a));
  EXPECT_OK(network_->Check(a));
  EXPECT_THAT(network_->Describe(),
              AllOf(HasSubstr(R"("mode":"builtin")"), HasSubstr(R"("attached":2)")));
}

TEST_F(PodNetworkTest, BuiltinMasqueradesWhatLeavesTheHost) {
  // A neighbour beyond the host, which knows no way back to the pods' subnet.
  const PodAttachment neighbour = NewPod("neighbour");
  ASSERT_OK_AND_ASSIGN(Rtnl rtnl, Rtnl::Open());
  ASSERT_OK(rtnl.AddBridge("uplink", {2, 0, 0, 0, 0, 1}));
  ASSERT_OK_AND_ASSIGN(const Link uplink, rtnl.FindLink("uplink"));
  ASSERT_OK(rtnl.AddAddress(uplink.index, *Ipv4Net::Parse("192.0.2.1/24")));
  const UniqueFd ns(::open(neighbour.netns_path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_OK(rtnl.AddVeth({.name = "up0",
                          .master = uplink.index,
                          .peer_name = "eth0",
                          .peer_netns_fd = ns.get(),
                          .peer_mac = {2, 0, 0, 0, 0, 2}}));
  ASSERT_OK(RunInNetNs(ns.get(), []() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(Rtnl inside, Rtnl::Open());
    CRISP_ASSIGN_OR_RETURN(const Link eth0, inside.FindLink("eth0"));
    CRISP_RETURN_IF_ERROR(inside.AddAddress(eth0.index, *Ipv4Net::Parse("192.0.2.2/24")));
    return inside.SetUp(eth0.index);
  }));
  PodAttachment pod = NewPod("pod");
  pod.ports = {{"tcp", 80, 8080, ""}};
  const std::string ip = MustAttach(pod);
  {
    ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(neighbour.netns_path, "tcp", 80));
    EXPECT_THAT(WhoAmI(pod.netns_path, "tcp", "192.0.2.2", 80), IsOkAndHolds("192.0.2.1"));
  }
  // From outside the pod sees who is asking.
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(pod.netns_path, "tcp", 80));
  EXPECT_THAT(WhoAmI(neighbour.netns_path, "tcp", "192.0.2.1", 8080), IsOkAndHolds("192.0.2.2"));
  EXPECT_OK(network_->Release(pod));
  EXPECT_OK(rtnl.DeleteLink("up0"));
  EXPECT_OK(rtnl.DeleteLink("uplink"));
}

TEST_F(PodNetworkTest, BuiltinHostPortsAnswerEverybodyUntilReleased) {
  for (const std::string protocol : {"tcp", "udp"}) {
    PodAttachment pod = NewPod("web");
    pod.ports = {{protocol, 80, 8080, ""}, {protocol, 80, 8081, "127.0.0.1"}};
    const PodAttachment other = NewPod("other");
    const std::string ip = MustAttach(pod);
    const std::string other_ip = MustAttach(other);
    ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(pod.netns_path, protocol, 80));
    const std::string gateway = "10.85.0.1";
    EXPECT_OK(WhoAmI("", protocol, gateway, 8080).status()) << protocol;
    EXPECT_THAT(WhoAmI("", protocol, "127.0.0.1", 8080), IsOkAndHolds(gateway)) << protocol;
    EXPECT_THAT(WhoAmI("", protocol, "127.0.0.1", 8081), IsOkAndHolds(gateway)) << protocol;
    EXPECT_THAT(WhoAmI(other.netns_path, protocol, gateway, 8080), IsOkAndHolds(gateway))
        << protocol << " from another pod";
    EXPECT_THAT(WhoAmI(pod.netns_path, protocol, gateway, 8080), IsOkAndHolds(gateway))
        << protocol << " from the pod itself";
    EXPECT_FALSE(WhoAmI(other.netns_path, protocol, gateway, 8081).ok())
        << protocol << " on an address that it is not published on";
    ASSERT_OK(network_->Release(pod));
    EXPECT_FALSE(WhoAmI("", protocol, gateway, 8080).ok()) << protocol;
    EXPECT_THAT(Output({"/usr/sbin/nft", "list", "table", "ip", "crisp"}),
                AllOf(HasSubstr("masquerade"), Not(HasSubstr("8080"))));
    ASSERT_OK(network_->Release(other));
  }
}

// A client that never pauses follows the port from pod to pod.
TEST_F(PodNetworkTest, BuiltinUdpHostPortsDoNotStickToAPodThatIsGone) {
  MustAttach(NewPod("bystander"));  // The rules, and flow tracking with them, are there.
  ASSERT_OK_AND_ASSIGN(SteadyUdpClient client, SteadyUdpClient::Make("10.85.0.1", 5353));
  EXPECT_FALSE(client.Ask().ok());
  for (int round = 0; round < 2; ++round) {
    PodAttachment pod = NewPod("dns");
    pod.ports = {{"udp", 53, 5353, ""}};
    MustAttach(pod);
    ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(pod.netns_path, "udp", 53));
    EXPECT_THAT(client.Ask(), IsOkAndHolds("10.85.0.1")) << "round " << round;
    ASSERT_OK(network_->Release(pod));
    EXPECT_FALSE(client.Ask().ok()) << "round " << round;
  }
}

TEST_F(PodNetworkTest, BuiltinServesSctpWhereTheKernelDoes) {
  if (!WhoAmIServer::Start("", "sctp", 80).ok()) GTEST_SKIP() << "this kernel has no SCTP";
  PodAttachment pod = NewPod("web");
  pod.ports = {{"sctp", 80, 8080, ""}};
  MustAttach(pod);
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(pod.netns_path, "sctp", 80));
  EXPECT_OK(WhoAmI("", "sctp", "10.85.0.1", 8080).status());
}

TEST_F(PodNetworkTest, BuiltinKeepsPodsFromTheHostsLoopback) {
  const PodAttachment pod = NewPod("web");
  MustAttach(pod);
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start("", "tcp", 90));
  // The pod routes 127.0.0.1 of the host to the bridge, as an attacker would.
  ASSERT_OK(RunInNetNs(pod.netns_path, []() -> absl::Status {
    CRISP_RETURN_IF_ERROR(WriteKernelFile("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1"));
    const std::string out =
        Output({"/usr/sbin/ip", "route", "add", "127.0.0.99/32", "via", "10.85.0.1"});
    Output({"/usr/sbin/ip", "rule", "add", "pref", "5", "lookup", "main"});
    Output({"/usr/sbin/ip", "rule", "del", "pref", "0"});
    return out.empty() ? absl::OkStatus() : absl::UnavailableError(out);
  }));
  EXPECT_FALSE(WhoAmI(pod.netns_path, "tcp", "127.0.0.99", 90).ok());
}

TEST_F(PodNetworkTest, BuiltinRefusesAHostPortThatIsTaken) {
  PodAttachment first = NewPod("first");
  PodAttachment second = NewPod("second");
  first.ports = second.ports = {{"tcp", 80, 8080, ""}};
  MustAttach(first);
  EXPECT_THAT(network_->Attach(second),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr("8080/tcp"), HasSubstr("shop/first"))));
  EXPECT_THAT(PodLinks(), SizeIs(1));
  ASSERT_OK(network_->Release(first));
  MustAttach(second);
}

TEST_F(PodNetworkTest, BuiltinReleaseLeavesNothingAndIsIdempotent) {
  PodAttachment pod = NewPod("web");
  pod.ports = {{"tcp", 80, 8080, ""}};
  MustAttach(pod);
  EXPECT_THAT(network_->RemoveBuiltin(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(PodLinks(), SizeIs(1));
  // The namespace goes first, as when the pod is torn down from outside.
  ASSERT_OK(NetNs::Remove(pod.netns_path));
  ASSERT_OK(network_->Release(pod));
  ASSERT_OK(network_->Release(pod));
  EXPECT_THAT(PodLinks(), IsEmpty());
  EXPECT_THAT(FilesIn(options_.builtin_state_dir), testing::ElementsAre("lock"));
  ASSERT_OK(network_->RemoveBuiltin());
  ASSERT_OK(network_->RemoveBuiltin());
  EXPECT_THAT(Output({"/usr/sbin/nft", "list", "tables"}), Not(HasSubstr("crisp")));
  EXPECT_THAT(Rtnl::Open()->FindLink("crisp0"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PodNetworkTest, BuiltinAttachWithoutANamespaceLeavesNothing) {
  PodAttachment pod{.sandbox_id = NewId(), .netns_path = root_ + "/nowhere"};
  EXPECT_THAT(network_->Attach(pod), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(FilesIn(options_.builtin_state_dir), testing::ElementsAre("lock"));
}

TEST_F(PodNetworkTest, BuiltinIsCollectedAndHealedByTheNextProcess) {
  PodAttachment dead = NewPod("dead");
  PodAttachment live = NewPod("live");
  dead.ports = {{"tcp", 80, 8080, ""}};
  live.ports = {{"tcp", 80, 8081, ""}};
  MustAttach(dead);
  MustAttach(live);
  network_ = MakePodNetwork(options_);
  ASSERT_OK(network_->CollectGarbage({live.sandbox_id}));
  EXPECT_THAT(PodLinks(), SizeIs(1));
  EXPECT_OK(network_->Check(live));
  EXPECT_THAT(network_->Check(dead), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Output({"/usr/sbin/nft", "list", "table", "ip", "crisp"}),
              AllOf(HasSubstr("8081"), Not(HasSubstr("8080"))));
  // A firewall's reload flushes everybody's rules.
  Output({"/usr/sbin/nft", "flush", "ruleset"});
  EXPECT_THAT(network_->Check(live), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(network_->Ready());
  EXPECT_OK(network_->Check(live));
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(live.netns_path, "tcp", 80));
  EXPECT_OK(WhoAmI("", "tcp", "10.85.0.1", 8081).status());
}

TEST_F(PodNetworkTest, BuiltinRefusesASubnetThatTheHostUses) {
  ASSERT_OK_AND_ASSIGN(Rtnl rtnl, Rtnl::Open());
  ASSERT_OK(rtnl.AddBridge("lan", {2, 0, 0, 0, 0, 1}));
  ASSERT_OK_AND_ASSIGN(const Link lan, rtnl.FindLink("lan"));
  ASSERT_OK(rtnl.AddAddress(lan.index, *Ipv4Net::Parse("10.85.7.1/24")));
  EXPECT_THAT(network_->Ready(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("10.85.7.1/24")));
  EXPECT_THAT(network_->Attach(NewPod("web")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("10.85.7.1/24")));
  EXPECT_OK(rtnl.DeleteLink("lan"));
}

TEST_F(PodNetworkTest, WithoutBuiltinNoConfigurationIsNotReady) {
  options_.builtin_enabled = false;
  auto network = MakePodNetwork(options_);
  EXPECT_THAT(network->Ready(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("net.d")));
  EXPECT_THAT(network->Attach(NewPod("web")), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// The reference plugins, as a node has them.
class RealPluginsTest : public PodNetworkTest {
 protected:
  void SetUp() override {
    PodNetworkTest::SetUp();
    if (IsSkipped()) return;
    for (const char* plugin : {"bridge", "host-local", "portmap"}) {
      if (::access(absl::StrCat(kPluginDir, "/", plugin).c_str(), X_OK) != 0) {
        GTEST_SKIP() << plugin << " is not in " << kPluginDir;
      }
    }
    const std::string config = absl::StrReplaceAll(
        R"({"name": "pods", "cniVersion": "1.0.0", "plugins": [
            {"type": "bridge", "bridge": "cni9", "isGateway": true, "ipMasq": true,
             "hairpinMode": true,
             "ipam": {"type": "host-local", "dataDir": "$root/ipam",
                      "ranges": [[{"subnet": "10.99.0.0/24"}]],
                      "routes": [{"dst": "0.0.0.0/0"}]}},
            $extra
            {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]})",
        {{"$root", root_}, {"$extra", extra_}});
    ASSERT_OK(WriteFileAtomic(options_.conf_dir + "/10-pods.conflist", config, 0644));
  }
  void TearDown() override {
    PodNetworkTest::TearDown();
    auto rtnl = Rtnl::Open();
    ASSERT_OK(rtnl.status());
    EXPECT_OK(rtnl->DeleteLink("cni9"));
  }

  // Addresses in host-local's store.
  std::vector<std::string> Leases() {
    std::vector<std::string> leases;
    for (const std::string& name : FilesIn(root_ + "/ipam/pods")) {
      if (absl::StartsWith(name, "10.")) leases.push_back(name);
    }
    return leases;
  }

  std::string extra_;
};

TEST_F(RealPluginsTest, PodsGetAddressesAndHostPortsUntilReleased) {
  EXPECT_OK(network_->Ready());
  PodAttachment a = NewPod("a");
  const PodAttachment b = NewPod("b");
  a.ports = {{"tcp", 80, 8080, ""}};
  ASSERT_OK_AND_ASSIGN(const PodNetworkResult result, network_->Attach(a));
  const std::string ip_a = result.ips.at(0);
  const std::string ip_b = MustAttach(b);
  EXPECT_THAT(ip_a, testing::StartsWith("10.99.0."));
  EXPECT_EQ(nlohmann::json::parse(result.result_json)["cniVersion"], "1.0.0");
  EXPECT_THAT(Leases(), SizeIs(2));
  // Not of the one with a host port: portmap 1.1.1 looks for IPv6 rules that it
  // made none of.
  EXPECT_OK(network_->Check(b));
  ASSERT_OK_AND_ASSIGN(auto server, WhoAmIServer::Start(a.netns_path, "tcp", 80));
  EXPECT_THAT(WhoAmI(b.netns_path, "tcp", ip_a, 80), IsOkAndHolds(ip_b));
  EXPECT_OK(WhoAmI("", "tcp", "127.0.0.1", 8080).status());
  EXPECT_THAT(Output({"/usr/sbin/iptables", "-t", "nat", "-S"}),
              AllOf(HasSubstr("MASQUERADE"), HasSubstr("8080")));
  EXPECT_THAT(network_->Describe(),
              AllOf(HasSubstr(R"("mode":"cni")"), HasSubstr(R"("name":"pods")")));

  ASSERT_OK(network_->Release(a));
  EXPECT_THAT(Leases(), testing::ElementsAre(ip_b));
  EXPECT_THAT(Output({"/usr/sbin/iptables", "-t", "nat", "-S"}), Not(HasSubstr("8080")));
  // Whoever attached a pod releases it, even when the configuration has gone.
  ASSERT_EQ(::unlink((options_.conf_dir + "/10-pods.conflist").c_str()), 0);
  ASSERT_OK(NetNs::Remove(b.netns_path));
  ASSERT_OK(network_->Release(b));
  EXPECT_THAT(Leases(), IsEmpty());
  EXPECT_THAT(FilesIn(options_.cache_dir), testing::ElementsAre("attempts"));
  EXPECT_THAT(network_->Describe(), HasSubstr(R"("mode":"builtin")"));
}

TEST_F(RealPluginsTest, APodOfADeadProcessIsCollected) {
  const PodAttachment dead = NewPod("dead");
  MustAttach(dead);
  network_ = MakePodNetwork(options_);
  ASSERT_OK(network_->CollectGarbage({}));
  EXPECT_THAT(Leases(), IsEmpty());
}

// A chain whose middle plugin misbehaves after bridge has done its work.
class MisbehavingPluginTest : public RealPluginsTest {
 protected:
  void SetUp() override {
    extra_ = R"({"type": "middle"},)";
    options_.plugin_timeout = absl::Seconds(10);
    RealPluginsTest::SetUp();
    if (IsSkipped()) return;
    middle_ = std::make_unique<FakePlugin>(root_ + "/bin", "middle");
  }
  void ExpectNothingLeft(const PodAttachment& pod, absl::StatusCode code) {
    EXPECT_THAT(network_->Attach(pod), StatusIs(code, HasSubstr("middle ADD")));
    EXPECT_EQ(middle_->Commands(), "ADD DEL");
    EXPECT_THAT(Leases(), IsEmpty());
    EXPECT_THAT(PodLinks(), IsEmpty());
    EXPECT_THAT(FilesIn(options_.cache_dir), testing::ElementsAre("attempts"));
  }
  std::unique_ptr<FakePlugin> middle_;
};

TEST_F(MisbehavingPluginTest, FailureLeavesNoAddress) {
  middle_->Print("ADD", R"({"code": 100, "msg": "no"})", 1);
  ExpectNothingLeft(NewPod("web"), absl::StatusCode::kInternal);
}

TEST_F(MisbehavingPluginTest, GarbageLeavesNoAddress) {
  middle_->Print("ADD", "core dumped");
  ExpectNothingLeft(NewPod("web"), absl::StatusCode::kInternal);
}

TEST_F(MisbehavingPluginTest, HangingLeavesNoAddress) {
  middle_->On("ADD", "sleep 1000");
  const absl::Time start = absl::Now();
  ExpectNothingLeft(NewPod("web"), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - start, absl::Seconds(90));
}

}  // namespace
}  // namespace crisp::netns
