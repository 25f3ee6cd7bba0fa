#include "netns/cni/cni_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "netns/testing/fake_plugin.h"

namespace crisp::netns {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// Stands for a pod's namespace: plugins here never enter it.
constexpr char kNetNs[] = "/proc/self/ns/net";

class CniNetworkTest : public testing::Test {
 protected:
  static NetworkConfig Config(const std::string& version = "1.0.0") {
    return *ParseNetworkList(absl::StrReplaceAll(
        R"({"name": "pods", "cniVersion": "$version", "plugins": [
            {"type": "first", "capabilities": {"portMappings": true}}, {"type": "second"}]})",
        {{"$version", version}}));
  }
  static PodAttachment Pod(const std::string& id = "abc") {
    return {.sandbox_id = id, .pod_name = "web", .pod_namespace = "shop", .netns_path = kNetNs};
  }
  CniNetwork Network(absl::Duration timeout = absl::Seconds(30)) {
    return CniNetwork(
        {.bin_dirs = {"/nowhere", bin_}, .cache_dir = cache_, .plugin_timeout = timeout});
  }

  std::string bin_ = FreshDir("bin");
  std::string cache_ = FreshDir("cache");
  FakePlugin first_{bin_, "first"};
  FakePlugin second_{bin_, "second"};
};

TEST_F(CniNetworkTest, ChainsResultsForwardAndDeletesBackward) {
  first_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.6/24"));
  const std::string order = bin_ + "/order";
  first_.On("DEL", absl::StrCat("echo first >> ", order));
  second_.On("DEL", absl::StrCat("echo second >> ", order));
  CniNetwork network = Network();
  PodAttachment pod = Pod();
  pod.ports = {{"tcp", 80, 8080, ""}};
  ASSERT_OK_AND_ASSIGN(const PodNetworkResult result, network.Attach(Config(), pod));
  EXPECT_THAT(result.ips, testing::ElementsAre("10.1.0.6"));

  const FakePlugin::Call add = first_.Calls().at(0);
  EXPECT_EQ(add.Env("CNI_COMMAND"), "ADD");
  EXPECT_EQ(add.Env("CNI_CONTAINERID"), "abc");
  EXPECT_EQ(add.Env("CNI_NETNS"), kNetNs);
  EXPECT_EQ(add.Env("CNI_IFNAME"), "eth0");
  EXPECT_EQ(add.Env("CNI_PATH"), absl::StrCat("/nowhere:", bin_));
  EXPECT_THAT(add.Env("CNI_ARGS"), HasSubstr("K8S_POD_NAME=web"));
  EXPECT_EQ(add.Env("TEST_TMPDIR"), "") << "our environment must not reach plugins";
  EXPECT_EQ(add.config["name"], "pods");
  EXPECT_EQ(add.config["cniVersion"], "1.0.0");
  EXPECT_EQ(add.config["runtimeConfig"]["portMappings"][0]["hostPort"], 8080);
  EXPECT_FALSE(add.config.contains("prevResult"));
  const FakePlugin::Call next = second_.Calls().at(0);
  EXPECT_EQ(next.config["prevResult"]["ips"][0]["address"], "10.1.0.5/24");
  EXPECT_FALSE(next.config.contains("runtimeConfig"));

  EXPECT_OK(network.Check(pod));
  ASSERT_OK(network.Release(nullptr, pod));
  EXPECT_EQ(first_.Commands(), "ADD CHECK DEL");
  EXPECT_EQ(*ReadFile(order), "second\nfirst\n");
  EXPECT_EQ(first_.Calls().at(2).config["prevResult"]["ips"][0]["address"], "10.1.0.6/24");
  EXPECT_EQ(first_.Calls().at(2).config["runtimeConfig"]["portMappings"][0]["hostPort"], 8080);

  ASSERT_OK(network.Release(nullptr, pod));
  EXPECT_EQ(first_.Commands(), "ADD CHECK DEL") << "there was nothing left to delete";
  EXPECT_THAT(network.Check(pod), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CniNetworkTest, AFailedAddIsDeletedAndCanBeTriedAgain) {
  first_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  second_.Print("ADD", R"({"code": 7, "msg": "no such bridge"})", 1);
  CniNetwork network = Network();
  EXPECT_THAT(network.Attach(Config(), Pod()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("second ADD"), HasSubstr("no such bridge"))));
  EXPECT_EQ(first_.Commands(), "ADD DEL");
  EXPECT_EQ(second_.Commands(), "ADD DEL");
  EXPECT_THAT(network.Knows("abc"), IsOkAndHolds(false));
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  EXPECT_OK(network.Attach(Config(), Pod()).status());
}

TEST_F(CniNetworkTest, BadResultsAreErrorsAndDeleted) {
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  const std::string bad[] = {"", "oops", "[]", R"({"code": 4, "msg": "bad env"})",
                             std::string("\xff\xfe")};
  int round = 0;
  CniNetwork network = Network();
  for (const std::string& text : bad) {
    first_.Print("ADD", text);
    EXPECT_THAT(network.Attach(Config(), Pod()),
                StatusIs(absl::StatusCode::kInternal, HasSubstr("first ADD")))
        << text;
    EXPECT_EQ(first_.Calls().size(), static_cast<size_t>(2 * ++round));
    EXPECT_EQ(first_.Calls().back().command, "DEL");
    EXPECT_THAT(network.Knows("abc"), IsOkAndHolds(false));
  }
}

TEST_F(CniNetworkTest, AResultWithoutAPodAddressIsAnErrorAndDeleted) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith("/proc/1/ns/user", "10.1.0.5/24"));
  CniNetwork network = Network();
  EXPECT_THAT(network.Attach(Config(), Pod()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("/proc/1/ns/user")));
  second_.Print("ADD", R"({"interfaces": [], "ips": []})");
  EXPECT_THAT(network.Attach(Config(), Pod()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("no address")));
  EXPECT_EQ(second_.Commands(), "ADD DEL ADD DEL");
}

TEST_F(CniNetworkTest, EndlessOutputIsBounded) {
  first_.On("ADD", "exec yes");
  EXPECT_THAT(Network().Attach(Config(), Pod()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("first ADD")));
  EXPECT_EQ(first_.Commands(), "ADD DEL");
}

TEST_F(CniNetworkTest, AHungPluginIsKilledWithItsChildrenAndDeleted) {
  const std::string pid_file = bin_ + "/child";
  first_.On("ADD", absl::StrCat("sleep 1000 & echo $! > ", pid_file, "; wait"));
  const absl::Time start = absl::Now();
  EXPECT_THAT(Network(absl::Seconds(3)).Attach(Config(), Pod()),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("first ADD")));
  EXPECT_LT(absl::Now() - start, absl::Seconds(60));
  EXPECT_EQ(first_.Commands(), "ADD DEL");
  EXPECT_EQ(second_.Commands(), "DEL");
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(pid_file));
  int child = 0;
  ASSERT_TRUE(absl::SimpleAtoi(text, &child));
  // The child was killed with its group; init reaps it in its own time.
  for (int i = 0; i < 100 && ::kill(child, 0) == 0; ++i) {
    const auto stat = ReadFile(absl::StrCat("/proc/", child, "/stat"));
    if (!stat.ok() || stat->find(") Z ") != std::string::npos) break;
    absl::SleepFor(absl::Milliseconds(20));
    ASSERT_LT(i, 99) << "sleep still runs";
  }
}

TEST_F(CniNetworkTest, AFailedDeleteKeepsTheRecordAndTriesEveryPlugin) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  second_.Print("DEL", R"({"code": 11, "msg": "busy"})", 1);
  CniNetwork network = Network();
  ASSERT_OK(network.Attach(Config(), Pod()).status());
  EXPECT_THAT(network.Release(nullptr, Pod()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("busy")));
  EXPECT_EQ(first_.Commands(), "ADD DEL") << "the other plugin frees what it holds";
  EXPECT_THAT(network.Knows("abc"), IsOkAndHolds(true));
  second_.Print("DEL", "");
  EXPECT_OK(network.Release(nullptr, Pod()));
  EXPECT_THAT(network.Knows("abc"), IsOkAndHolds(false));
}

TEST_F(CniNetworkTest, AnAttemptOfAProcessThatDiedIsDeletedByTheNext) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  // What is on disk when the process dies inside ADD.
  const std::string saved = bin_ + "/saved";
  second_.On("ADD", absl::StrCat("cp -r ", cache_, " ", saved, "; exit 1"));
  EXPECT_FALSE(Network().Attach(Config(), Pod()).ok());
  CniNetwork next({.bin_dirs = {bin_}, .cache_dir = saved, .plugin_timeout = absl::Seconds(30)});
  EXPECT_THAT(next.Knows("abc"), IsOkAndHolds(true));
  EXPECT_OK(next.CollectGarbage(nullptr, {"abc"}));
  EXPECT_EQ(first_.Commands(), "ADD DEL") << "a live sandbox is not garbage";
  EXPECT_OK(next.CollectGarbage(nullptr, {"other"}));
  EXPECT_EQ(first_.Commands(), "ADD DEL DEL");
  EXPECT_THAT(next.Knows("abc"), IsOkAndHolds(false));
}

TEST_F(CniNetworkTest, DeletesWithoutANamespaceWhenItIsGone) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(bin_ + "/ns", "10.1.0.5/24"));
  ASSERT_OK(WriteFileAtomic(bin_ + "/ns", "", 0600));
  PodAttachment pod = Pod();
  pod.netns_path = bin_ + "/ns";
  CniNetwork network = Network();
  ASSERT_OK(network.Attach(Config(), pod).status());
  ASSERT_EQ(::unlink(pod.netns_path.c_str()), 0);
  pod.netns_path.clear();
  EXPECT_OK(network.Release(nullptr, pod));
  EXPECT_EQ(first_.Calls().back().command, "DEL");
  EXPECT_EQ(first_.Calls().back().Env("CNI_NETNS"), "");
}

TEST_F(CniNetworkTest, ADamagedRecordIsReleasedWithTheCurrentConfiguration) {
  ASSERT_OK(WriteFileAtomic(cache_ + "/pods-abc-eth0", "", 0600));
  CniNetwork network = Network();
  EXPECT_FALSE(network.Release(nullptr, Pod()).ok());
  const NetworkConfig config = Config();
  EXPECT_OK(network.Release(&config, Pod()));
  EXPECT_EQ(first_.Commands(), "DEL");
  EXPECT_THAT(network.Knows("abc"), IsOkAndHolds(false));
}

TEST_F(CniNetworkTest, TwoSandboxesCannotHaveOneAddress) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  ASSERT_OK(Network().Attach(Config(), Pod("abc")).status());
  CniNetwork network = Network();  // A new process knows from the cache.
  EXPECT_THAT(network.Attach(Config(), Pod("def")),
              StatusIs(absl::StatusCode::kInternal,
                       AllOf(HasSubstr("10.1.0.5"), HasSubstr("sandbox abc"))));
  EXPECT_EQ(second_.Calls().back().Env("CNI_CONTAINERID"), "def");
  EXPECT_EQ(second_.Calls().back().command, "DEL");
  ASSERT_OK(network.Release(nullptr, Pod("abc")));
  EXPECT_OK(network.Attach(Config(), Pod("def")).status());
}

TEST_F(CniNetworkTest, VersionsAreNegotiated) {
  FakePlugin old(bin_, "old", {"0.3.1", "0.4.0", "1.0.0"});
  old.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  const auto config = [](const std::string& versions) {
    return *ParseNetworkList(
        absl::StrCat(R"({"name": "n", )", versions, R"(, "plugins": [{"type": "old"}]})"));
  };
  CniNetwork network = Network();
  ASSERT_OK(
      network.Attach(config(R"("cniVersions": ["0.4.0", "1.0.0", "1.1.0"])"), Pod()).status());
  EXPECT_EQ(old.Calls().at(0).config["cniVersion"], "1.0.0");
  ASSERT_OK(network.Release(nullptr, Pod()));
  EXPECT_EQ(old.Calls().at(1).config["cniVersion"], "1.0.0");
  EXPECT_THAT(
      network.Ready(config(R"("cniVersion": "1.1.0")")),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("1.1.0"), HasSubstr("old"))));
}

TEST_F(CniNetworkTest, ReadyNamesAPluginThatIsMissingAndAsksStatus) {
  CniNetwork network = Network();
  const NetworkConfig missing =
      *ParseNetworkList(R"({"name": "n", "plugins": [{"type": "absent"}]})");
  EXPECT_THAT(network.Ready(missing),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("absent")));
  EXPECT_OK(network.Ready(Config("1.0.0")));
  EXPECT_EQ(first_.Commands(), "") << "STATUS came with 1.1.0";
  EXPECT_OK(network.Ready(Config("1.1.0")));
  EXPECT_EQ(first_.Commands(), "STATUS");
  second_.Print("STATUS", R"({"code": 50, "msg": "warming up"})", 1);
  EXPECT_THAT(network.Ready(Config("1.1.0")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("warming up")));
}

TEST_F(CniNetworkTest, GarbageCollectionTellsPluginsWhatIsValid) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  CniNetwork network = Network();
  const NetworkConfig config = Config("1.1.0");
  ASSERT_OK(network.Attach(config, Pod("abc")).status());
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.6/24"));
  ASSERT_OK(network.Attach(config, Pod("def")).status());
  ASSERT_OK(network.CollectGarbage(&config, {"def"}));
  EXPECT_EQ(first_.Commands(), "ADD ADD DEL GC");
  const json valid = json::parse(R"([{"containerID": "def", "ifname": "eth0"}])");
  EXPECT_EQ(first_.Calls().back().config["cni.dev/valid-attachments"], valid);
  EXPECT_EQ(first_.Calls().back().config["cni.dev/attachments"], valid);
  EXPECT_THAT(network.Knows("def"), IsOkAndHolds(true));
}

TEST_F(CniNetworkTest, GarbageCollectionLeavesOtherRuntimesAlone) {
  ASSERT_OK(WriteFileAtomic(
      cache_ + "/pods-xyz-eth0",
      R"({"kind": "cniCacheV1", "containerId": "xyz", "networkName": "pods", "ifName": "eth0"})",
      0600));
  const NetworkConfig config = Config();
  EXPECT_OK(Network().CollectGarbage(&config, {}));
  EXPECT_EQ(first_.Commands(), "");
}

TEST_F(CniNetworkTest, AFailedCheckSaysWhy) {
  first_.Print("ADD", "{}");
  second_.Print("ADD", ResultWith(kNetNs, "10.1.0.5/24"));
  first_.Print("CHECK", R"({"code": 999, "msg": "address is missing"})", 1);
  CniNetwork network = Network();
  ASSERT_OK(network.Attach(Config(), Pod()).status());
  EXPECT_THAT(network.Check(Pod()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("address is missing")));
}

}  // namespace
}  // namespace crisp::netns
