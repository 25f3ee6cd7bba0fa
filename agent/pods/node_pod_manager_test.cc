#include "agent/pods/node_pod_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "agent/runtime/fake_runtime.h"
#include "agent/store/object_store.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNode[] = "node-a";

class Recorder : public EventRecorder {
 public:
  void Record(const Json& object, EventType, const std::string& reason, const std::string& message,
              const std::string& field_path, const std::string&) override {
    absl::MutexLock lock(&mu_);
    events_.push_back(absl::StrCat(reason, ": ", message));
    EXPECT_EQ(TextAt(object, "kind"), "Pod");
    if (!field_path.empty()) {
      EXPECT_TRUE(absl::StartsWith(field_path, "spec.")) << field_path;
    }
  }
  std::vector<std::string> events() const {
    absl::MutexLock lock(&mu_);
    return events_;
  }
  size_t Count(const std::string& event) const {
    absl::MutexLock lock(&mu_);
    size_t count = 0;
    for (const std::string& one : events_) count += absl::StartsWith(one, event) ? 1 : 0;
    return count;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

class PodManagerTest : public ::testing::Test {
 protected:
  PodManagerTest() {
    char pattern[] = "/tmp/crisp-pods.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    auto store = ObjectStore::Open(directory_ + "/agent.db", Clock::Real());
    EXPECT_OK(store);
    store_ = *std::move(store);
    node_.AddImage("busybox");
    options_.node_name = kNode;
    options_.node.ip = "192.0.2.1";
    options_.log_root = directory_ + "/logs";
    options_.pod_root = directory_ + "/pods";
    options_.back_off = absl::Milliseconds(100);
    options_.max_back_off = absl::Seconds(1);
  }
  ~PodManagerTest() override {
    manager_.reset();
    store_.reset();
    EXPECT_OK(RemoveTree(directory_));
  }

  void Start() {
    PodManagerPace pace;
    pace.relist_with_events = absl::Seconds(5);
    pace.relist_without = absl::Milliseconds(50);
    pace.retry_runtime = absl::Milliseconds(20);
    pace.runtime_lost_after = absl::Milliseconds(200);
    manager_ = std::make_unique<NodePodManager>(store_.get(), &events_, node_.Connect(),
                                                Clock::Real(), options_, pace);
    EXPECT_OK(manager_->Start());
  }
  // As kill -9 and a new agent.
  void Restart() {
    manager_.reset();
    Start();
  }

  std::string Apply(const std::string& name, const std::string& spec,
                    const std::string& node = kNode) {
    Json object = {{"apiVersion", "v1"},
                   {"kind", "Pod"},
                   {"metadata", {{"name", name}, {"namespace", "default"}}},
                   {"spec", Json::parse(spec)}};
    object["spec"]["nodeName"] = node;
    const auto created = store_->Create(std::move(object));
    EXPECT_OK(created);
    return UidOf(**created);
  }
  void Delete(const std::string& name, int64_t grace) {
    EXPECT_OK(store_->Update({"Pod", "default", name}, [&](Json& object) {
      object["metadata"]["deletionTimestamp"] = Timestamp(absl::Now() + absl::Seconds(grace));
      object["metadata"]["deletionGracePeriodSeconds"] = grace;
      return absl::OkStatus();
    }));
  }
  Json Status(const std::string& name) const {
    const auto pod = store_->Get({"Pod", "default", name});
    return pod.ok() ? At(**pod, "status") : Json();
  }
  std::string Phase(const std::string& name) const { return TextAt(Status(name), "phase"); }
  Json ContainerStatus(const std::string& name, size_t index = 0) const {
    const Json status = Status(name);
    const Json& all = At(status, "containerStatuses");
    return all.is_array() && all.size() > index ? all[index] : Json();
  }
  std::string WaitingReason(const std::string& name) const {
    return TextAt(ContainerStatus(name), "state.waiting.reason");
  }

  static bool Eventually(const std::function<bool()>& is_so) {
    for (int i = 0; i < 1000; ++i) {
      if (is_so()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }
  bool BecomesPhase(const std::string& name, const std::string& phase) {
    return Eventually([&] { return Phase(name) == phase; });
  }

  std::string directory_;
  FakeNodeState node_;
  std::unique_ptr<ObjectStore> store_;
  Recorder events_;
  PodManagerOptions options_;
  std::unique_ptr<NodePodManager> manager_;
};

constexpr char kOne[] = R"({"containers":[{"name":"web","image":"busybox"}]})";

TEST_F(PodManagerTest, AnotherImageRestartsItsContainer) {
  node_.AddImage("busybox:2");
  Start();
  const auto set_image = [&](const std::string& pod, const std::string& image) {
    EXPECT_OK(store_->Update({"Pod", "default", pod}, [&](Json& object) {
      object["spec"]["containers"][0]["image"] = image;
      return absl::OkStatus();
    }));
  };
  for (const char* policy : {"Always", "Never"}) {
    const std::string name = absl::StrCat("on-", absl::AsciiStrToLower(policy));
    Apply(name, absl::StrCat(R"({"restartPolicy":")", policy, R"(","containers":[{"name":")", name,
                             R"(","image":"busybox"},{"name":"other","image":"busybox"}]})"));
    ASSERT_TRUE(BecomesPhase(name, "Running"));
    set_image(name, "busybox:2");
    EXPECT_TRUE(Eventually([&] {
      return NumberAt(ContainerStatus(name), "restartCount") == 1 &&
             TextAt(ContainerStatus(name), "image") == "busybox:2" && node_.Running(name) == 1;
    })) << policy;
    EXPECT_EQ(Phase(name), "Running");
    EXPECT_EQ(NumberAt(ContainerStatus(name, 1), "restartCount"), 0);
    EXPECT_THAT(events_.events(), Contains(absl::StrCat("Killing: Container ", name,
                                                        " definition changed, will be restarted")));
  }
  // An image that cannot be had, and then one that can: its back-off was the other's.
  options_.back_off = absl::Seconds(100);
  Restart();
  node_.Fail("PullImage", absl::NotFoundError("no such image"));
  set_image("on-always", "missing");
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(TextAt(ContainerStatus("on-always"), "state.waiting.reason"), "Pull");
  }));
  set_image("on-always", "busybox:2");
  EXPECT_TRUE(Eventually([&] { return node_.Running("on-always") == 1; }));
}

TEST_F(PodManagerTest, LabelsReachVolumesThatTellOfThem) {
  Start();
  Apply("told", R"({"containers":[{"name":"web","image":"busybox"}],"volumes":[{"name":"v",
      "projected":{"sources":[{"downwardAPI":{"items":[{"path":"l",
      "fieldRef":{"fieldPath":"metadata.labels['app']"}}]}}]}}]})");
  Apply("untold", kOne);
  ASSERT_TRUE(BecomesPhase("told", "Running"));
  ASSERT_TRUE(BecomesPhase("untold", "Running"));
  const auto label = [&](const std::string& pod, const std::string& value) {
    EXPECT_OK(store_->Update({"Pod", "default", pod}, [&](Json& object) {
      object["metadata"]["labels"]["app"] = value;
      return absl::OkStatus();
    }));
  };
  const auto told = [&](const std::string& value) {
    for (const std::string& call : node_.calls()) {
      if (absl::StartsWith(call, "UpdatePod:") && absl::EndsWith(call, ":app=" + value))
        return true;
    }
    return false;
  };
  label("told", "one");
  label("untold", "other");
  EXPECT_TRUE(Eventually([&] { return told("one"); }));
  // One that cannot be told now is told later.
  node_.Fail("UpdatePod", absl::InternalError("not now"));
  label("told", "two");
  EXPECT_TRUE(Eventually([&] { return told("two"); }));
  node_.Fail("UpdatePod", absl::OkStatus());
  const size_t before = node_.CountCalls("UpdatePod");
  EXPECT_TRUE(Eventually([&] { return node_.CountCalls("UpdatePod") > before; }));
  // A new agent tells once more, since the one before may not have come to it.
  Restart();
  EXPECT_TRUE(Eventually([&] { return node_.CountCalls("UpdatePod") > before + 1; }));
  EXPECT_FALSE(told("other"));
}

TEST_F(PodManagerTest, PullSecretsAreTriedInTheirOrder) {
  node_.NeedsLogin({"good", "sesame"});
  const auto secret = [&](const std::string& name, const std::string& user,
                          const std::string& password) {
    const std::string config =
        Json({{"auths", {{"registry.example.com", {{"username", user}, {"password", password}}}}}})
            .dump();
    EXPECT_OK(store_->Create({{"apiVersion", "v1"},
                              {"kind", "Secret"},
                              {"metadata", {{"name", name}, {"namespace", "default"}}},
                              {"type", "kubernetes.io/dockerconfigjson"},
                              {"data", {{".dockerconfigjson", absl::Base64Escape(config)}}}}));
  };
  secret("one", "bad", "hunter2");
  secret("two", "good", "sesame");
  Start();
  constexpr char kPrivate[] =
      R"({"imagePullSecrets":[{"name":"gone"},{"name":"one"},{"name":"two"}],
          "containers":[{"name":"web","image":"registry.example.com/app:1"}]})";
  Apply("a", kPrivate);
  ASSERT_TRUE(BecomesPhase("a", "Running"));
  EXPECT_EQ(node_.CountCalls("PullImage:registry.example.com/app:1 as bad"), 1u);
  EXPECT_EQ(node_.CountCalls("PullImage:registry.example.com/app:1 as good"), 1u);
  EXPECT_THAT(events_.events(),
              Contains("FailedToRetrieveImagePullSecret: Unable to retrieve some image pull "
                       "secrets (gone); attempting to pull the image may not succeed."));
  for (const std::string& event : events_.events()) {
    EXPECT_THAT(event, Not(HasSubstr("sesame")));
    EXPECT_THAT(event, Not(HasSubstr("hunter2")));
  }
}

TEST_F(PodManagerTest, WithoutTheRightPullSecretThePullFailsForEachReason) {
  node_.NeedsLogin({"good", "sesame"});
  Start();
  Apply("a", R"({"imagePullSecrets":[{"name":"gone"}],
                 "containers":[{"name":"web","image":"registry.example.com/app:1"}]})");
  ASSERT_TRUE(Eventually([&] { return WaitingReason("a") == "ImagePullBackOff"; }));
  EXPECT_THAT(TextAt(ContainerStatus("a"), "state.waiting.message"), HasSubstr("401 Unauthorized"));
  EXPECT_GE(node_.CountCalls("PullImage:registry.example.com/app:1"), 1u);
}

TEST_F(PodManagerTest, StartsAPodAndTellsOfIt) {
  Start();
  const std::string uid = Apply("web", R"({"initContainers":[{"name":"prepare","image":"busybox"},
      {"name":"proxy","image":"busybox","restartPolicy":"Always"}],
      "containers":[{"name":"web","image":"busybox"},{"name":"log","image":"busybox"}]})");
  ASSERT_TRUE(Eventually([&] { return node_.Running("prepare") == 1; }));
  EXPECT_EQ(Phase("web"), "Pending");
  node_.Exit("prepare", 0);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  std::vector<std::string> starts;
  for (const std::string& call : node_.calls()) {
    if (absl::StartsWith(call, "StartContainer")) starts.push_back(call);
  }
  EXPECT_THAT(starts, ElementsAre("StartContainer:prepare", "StartContainer:proxy",
                                  "StartContainer:web", "StartContainer:log"));
  ASSERT_TRUE(Eventually([&] {
    for (const Json& condition : Status("web").value("conditions", Json::array())) {
      if (condition["type"] == "Ready") return condition["status"] == "True";
    }
    return false;
  }));
  const Json status = Status("web");
  EXPECT_EQ(status["podIP"], "10.85.0.7");
  EXPECT_EQ(status["hostIP"], "192.0.2.1");
  EXPECT_EQ(status["qosClass"], "BestEffort");
  EXPECT_TRUE(absl::StartsWith(TextAt(status["containerStatuses"][0], "containerID"), "fake://"));
  EXPECT_EQ(status["initContainerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
  EXPECT_THAT(events_.events(), Contains("Created: Created container: web"));
  EXPECT_THAT(events_.events(), Contains("Started: Started container log"));
  EXPECT_THAT(events_.events(),
              Contains("Pulled: Container image \"busybox\" already present on machine"));
  ASSERT_OK_AND_ASSIGN(const PodInstances instances, manager_->Instances(uid));
  EXPECT_FALSE(instances.sandbox_id.empty());
  ASSERT_EQ(instances.containers.size(), 4u);
  EXPECT_TRUE(instances.containers[2].running);
  EXPECT_THAT(instances.containers[2].log_path, HasSubstr("web/0.log"));
  EXPECT_THAT(manager_->Instances("another"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(PodManagerTest, PodsOfOtherNodesAndUnboundOnesAreLeftAlone) {
  Start();
  Apply("other", kOne, "node-b");
  Apply("unbound", kOne, "");
  Apply("mine", kOne);
  ASSERT_TRUE(BecomesPhase("mine", "Running"));
  EXPECT_EQ(node_.sandbox_count(), 1u);
  // Bound now.
  EXPECT_OK(store_->Update({"Pod", "default", "unbound"}, [&](Json& object) {
    object["spec"]["nodeName"] = kNode;
    return absl::OkStatus();
  }));
  EXPECT_TRUE(BecomesPhase("unbound", "Running"));
}

TEST_F(PodManagerTest, NothingIsWrittenOrAskedWhileNothingHappens) {
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  absl::SleepFor(absl::Milliseconds(500));
  const int64_t version = store_->resource_version();
  const size_t calls = node_.CountCalls("GetPod");
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(store_->resource_version(), version);
  EXPECT_EQ(node_.CountCalls("GetPod"), calls);
}

TEST_F(PodManagerTest, CrashLoopBacksOffAndCounts) {
  node_.ExitsAtOnce("web", 1);
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(Eventually([&] { return WaitingReason("web") == "CrashLoopBackOff"; }));
  const Json status = ContainerStatus("web");
  EXPECT_EQ(status["lastState"]["terminated"]["exitCode"], 1);
  EXPECT_EQ(status["lastState"]["terminated"]["reason"], "Error");
  ASSERT_TRUE(Eventually([&] { return events_.Count("BackOff: Back-off restarting") > 0; }));
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") >= 3; }));
  // 0, 0.1, 0.2 and 0.4 s: three restarts take 0.3 s and no more than a few have happened.
  EXPECT_LE(node_.CountCalls("StartContainer:web"), 5u);
  node_.RunsAgain("web");
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  ASSERT_TRUE(Eventually([&] { return At(ContainerStatus("web"), "state.running").is_object(); }));
  const int64_t count = NumberAt(ContainerStatus("web"), "restartCount");
  EXPECT_EQ(node_.config("web").metadata().attempt(), static_cast<uint32_t>(count));
  EXPECT_THAT(node_.config("web").log_path(), HasSubstr(absl::StrCat("web/", count, ".log")));
}

TEST_F(PodManagerTest, ANewAgentAdoptsAndGoesOnCounting) {
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  node_.Exit("web", 1);
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  const size_t creates = node_.CountCalls("CreateContainer");
  Restart();
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_EQ(node_.CountCalls("CreateContainer"), creates);
  EXPECT_EQ(node_.Running("web"), 1u);
  EXPECT_EQ(node_.sandbox_count(), 1u);
  // What ended while no agent was there counts once.
  manager_.reset();
  node_.Exit("web", 1);
  Start();
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 2; }));
  EXPECT_EQ(node_.CountCalls("CreateContainer"), creates + 1);
}

TEST_F(PodManagerTest, ARebootRaisesTheCount) {
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  manager_.reset();
  node_.LoseEverything();
  Start();
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_EQ(TextAt(ContainerStatus("web"), "lastState.terminated.reason"),
            "ContainerStatusUnknown");
}

TEST_F(PodManagerTest, ADeadSandboxIsMadeAnew) {
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  node_.StopSandboxes();
  ASSERT_TRUE(Eventually([&] { return node_.sandbox_config().metadata().attempt() == 1; }));
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  ASSERT_TRUE(Eventually([&] { return node_.sandbox_count() == 1; }));
  EXPECT_EQ(events_.Count("SandboxChanged"), 1u);
  EXPECT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
}

TEST_F(PodManagerTest, DeleteIsGracefulAndComplete) {
  Start();
  const std::string uid = Apply("web", R"({"containers":[{"name":"web","image":"busybox",
      "lifecycle":{"preStop":{"exec":{"command":["bye"]}}}}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  Delete("web", 7);
  ASSERT_TRUE(Eventually([&] { return !store_->Get({"Pod", "default", "web"}).ok(); }));
  EXPECT_EQ(node_.sandbox_count(), 0u);
  EXPECT_EQ(node_.CountCalls("ExecSync:web"), 1u);
  EXPECT_EQ(node_.CountCalls("StopContainer:web:7"), 1u);
  EXPECT_THAT(events_.events(), Contains("Killing: Stopping container web"));
  EXPECT_FALSE(OpenDir(options_.log_root + "/default_web_" + uid).ok());
  EXPECT_FALSE(OpenDir(options_.pod_root + "/" + uid).ok());
  EXPECT_TRUE(Eventually([&] { return !manager_->Instances(uid).ok(); }));
}

TEST_F(PodManagerTest, AnObjectThatIsGoneTakesItsPodAlong) {
  Start();
  const std::string first = Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_OK(store_->Remove({"Pod", "default", "web"}, first));
  ASSERT_TRUE(Eventually([&] { return node_.sandbox_count() == 0; }));
  // While no agent ran, too; what others made stays.
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  runtime::v1::PodSandboxConfig foreign;
  foreign.mutable_metadata()->set_uid("foreign");
  ASSERT_OK(node_.Connect()->RunPodSandbox(foreign, ""));
  manager_.reset();
  EXPECT_OK(store_->Remove({"Pod", "default", "web"}));
  Start();
  ASSERT_TRUE(Eventually([&] { return node_.sandbox_count() == 1; }));
  EXPECT_EQ(node_.Running("web"), 0u);
}

TEST_F(PodManagerTest, ImageFailures) {
  node_.Fail("PullImage", absl::NotFoundError("manifest unknown"));
  Start();
  Apply("web", R"({"containers":[{"name":"web","image":"nowhere:1"}]})");
  Apply("never",
        R"({"containers":[{"name":"web","image":"nowhere:1","imagePullPolicy":"Never"}]})");
  ASSERT_TRUE(Eventually([&] { return WaitingReason("web") == "ErrImagePull"; }));
  ASSERT_TRUE(Eventually([&] { return WaitingReason("web") == "ImagePullBackOff"; }));
  ASSERT_TRUE(Eventually([&] { return WaitingReason("never") == "ErrImageNeverPull"; }));
  EXPECT_THAT(events_.events(), Contains("Pulling: Pulling image \"nowhere:1\""));
  EXPECT_THAT(events_.events(),
              Contains("Failed: Failed to pull image \"nowhere:1\": manifest unknown"));
  EXPECT_THAT(events_.events(), Contains("Failed: Error: ErrImagePull"));
  ASSERT_TRUE(Eventually([&] { return events_.Count("BackOff: Back-off pulling image") > 0; }));
  node_.Fail("PullImage", absl::OkStatus());
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_THAT(events_.events(), Contains(HasSubstr("Successfully pulled image \"nowhere:1\" in")));
  EXPECT_EQ(node_.CountCalls("RunPodSandbox"), 2u);
}

TEST_F(PodManagerTest, AFailedLivenessProbeRestarts) {
  std::atomic<bool> healthy = true;
  node_.SetExec([&](const std::string&) -> absl::StatusOr<ExecResult> {
    return ExecResult{healthy ? 0 : 1, "no answer"};
  });
  Start();
  Apply("web", R"({"containers":[{"name":"web","image":"busybox","livenessProbe":{
      "exec":{"command":["check"]},"periodSeconds":1,"failureThreshold":1}}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  healthy = false;
  ASSERT_TRUE(Eventually(
      [&] { return events_.Count("Killing: Container web failed liveness probe, will be") > 0; }));
  healthy = true;
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
  EXPECT_THAT(events_.events(), Contains("Unhealthy: Liveness probe failed: no answer"));
  EXPECT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
}

TEST_F(PodManagerTest, ReadinessFollowsItsProbe) {
  std::atomic<bool> ready = false;
  node_.SetExec([&](const std::string&) -> absl::StatusOr<ExecResult> {
    return ExecResult{ready ? 0 : 1, ""};
  });
  Start();
  Apply("web", R"({"containers":[{"name":"web","image":"busybox","readinessProbe":{
      "exec":{"command":["check"]},"periodSeconds":1,"failureThreshold":1}}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_FALSE(TruthAt(ContainerStatus("web"), "ready"));
  ready = true;
  EXPECT_TRUE(Eventually([&] { return TruthAt(ContainerStatus("web"), "ready"); }));
  ready = false;
  EXPECT_TRUE(Eventually([&] { return !TruthAt(ContainerStatus("web"), "ready"); }));
  EXPECT_EQ(node_.CountCalls("StopContainer"), 0u);
}

TEST_F(PodManagerTest, CompletesByRestartPolicy) {
  Start();
  Apply("job", R"({"restartPolicy":"OnFailure","initContainers":[
      {"name":"side","image":"busybox","restartPolicy":"Always"}],
      "containers":[{"name":"work","image":"busybox"}]})");
  Apply("once", R"({"restartPolicy":"Never","containers":[{"name":"try","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("job", "Running"));
  ASSERT_TRUE(BecomesPhase("once", "Running"));
  node_.Exit("work", 3);
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("job"), "restartCount") == 1; }));
  ASSERT_TRUE(Eventually([&] { return node_.Running("work") == 1; }));
  node_.Exit("work", 0);
  node_.Exit("try", 3, "OOMKilled");
  ASSERT_TRUE(BecomesPhase("job", "Succeeded"));
  ASSERT_TRUE(BecomesPhase("once", "Failed"));
  EXPECT_EQ(TextAt(ContainerStatus("once"), "state.terminated.reason"), "OOMKilled");
  // The sidecar ends with the pod, and its records stay.
  EXPECT_TRUE(Eventually([&] { return node_.Running("side") == 0; }));
  EXPECT_EQ(node_.sandbox_count(), 2u);
  Restart();
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_EQ(Phase("job"), "Succeeded");
  EXPECT_EQ(node_.Running("work"), 0u);
}

TEST_F(PodManagerTest, ActiveDeadlineFailsThePod) {
  Start();
  Apply("web", R"({"activeDeadlineSeconds":1,"containers":[{"name":"web","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  ASSERT_TRUE(BecomesPhase("web", "Failed"));
  EXPECT_EQ(TextAt(Status("web"), "reason"), "DeadlineExceeded");
  EXPECT_TRUE(Eventually([&] { return node_.Running("web") == 0; }));
}

TEST_F(PodManagerTest, AConfigMapMustExistFirst) {
  Start();
  Apply("env", R"({"containers":[{"name":"web","image":"busybox",
      "envFrom":[{"configMapRef":{"name":"cfg"}}]}]})");
  Apply("vol", R"({"volumes":[{"name":"v","configMap":{"name":"cfg"}}],
      "containers":[{"name":"web","image":"busybox"}]})");
  ASSERT_TRUE(Eventually([&] { return WaitingReason("env") == "CreateContainerConfigError"; }));
  ASSERT_TRUE(Eventually([&] { return events_.Count("FailedMount") > 0; }));
  EXPECT_THAT(events_.events(),
              Contains("FailedMount: MountVolume.SetUp failed for volume \"v\" : configmap "
                       "\"cfg\" not found"));
  Json map = {{"apiVersion", "v1"},
              {"kind", "ConfigMap"},
              {"metadata", {{"name", "cfg"}, {"namespace", "default"}}},
              {"data", {{"K", "v"}}}};
  ASSERT_OK(store_->Create(std::move(map)));
  EXPECT_TRUE(BecomesPhase("env", "Running"));
  EXPECT_TRUE(BecomesPhase("vol", "Running"));
  EXPECT_EQ(node_.config("web").metadata().attempt(), 0u);
}

TEST_F(PodManagerTest, WhileTheRuntimeIsAwayNothingIsLost) {
  node_.SetAway(true);
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Unknown"));
  node_.SetAway(false);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  node_.SetAway(true);
  ASSERT_TRUE(BecomesPhase("web", "Unknown"));
  EXPECT_EQ(TextAt(Status("web"), "reason"), "NodeLost");
  node_.SetAway(false);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_EQ(node_.CountCalls("CreateContainer"), 1u);
}

TEST_F(PodManagerTest, WithoutEventsARelistFindsWhatHappened) {
  node_.SetEvents(false);
  Start();
  Apply("web", kOne);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  node_.Exit("web", 1);
  EXPECT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
}

TEST_F(PodManagerTest, PostStartHoldsTheContainerAndItsFailureRestarts) {
  absl::Notification go;
  std::atomic<int> code = 1;
  node_.SetExec([&](const std::string&) -> absl::StatusOr<ExecResult> {
    go.WaitForNotification();
    return ExecResult{code.exchange(0), ""};
  });
  Start();
  Apply("web", R"({"containers":[{"name":"web","image":"busybox",
      "lifecycle":{"postStart":{"exec":{"command":["hello"]}}}}]})");
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  ASSERT_TRUE(Eventually([&] { return WaitingReason("web") == "ContainerCreating"; }));
  EXPECT_EQ(Phase("web"), "Pending");
  go.Notify();
  ASSERT_TRUE(Eventually([&] { return events_.Count("FailedPostStartHook") == 1; }));
  ASSERT_TRUE(Eventually([&] { return NumberAt(ContainerStatus("web"), "restartCount") == 1; }));
  EXPECT_TRUE(BecomesPhase("web", "Running"));
}

TEST_F(PodManagerTest, ARestartSeesTheLabelsOfNow) {
  Start();
  Apply("web", R"({"containers":[{"name":"web","image":"busybox","env":[{"name":"TIER",
      "valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['tier']"}}}]}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_EQ(node_.config("web").envs(0).value(), "");
  ASSERT_OK(store_->Update({"Pod", "default", "web"}, [](Json& object) {
    object["metadata"]["labels"]["tier"] = "front";
    return absl::OkStatus();
  }));
  absl::SleepFor(absl::Milliseconds(50));  // The manager hears of it on the store's thread.
  node_.Exit("web", 1);
  ASSERT_TRUE(Eventually([&] { return node_.config("web").metadata().attempt() == 1; }));
  EXPECT_EQ(node_.config("web").envs(0).value(), "front");
}

TEST_F(PodManagerTest, LegacyNamesAreSkippedWithAnEvent) {
  options_.legacy_env_names = true;
  Start();
  Json map = {{"apiVersion", "v1"},
              {"kind", "ConfigMap"},
              {"metadata", {{"name", "cfg"}, {"namespace", "default"}}},
              {"data", {{"a.b", "1"}, {"GOOD", "2"}}}};
  ASSERT_OK(store_->Create(std::move(map)));
  Apply("web", R"({"containers":[{"name":"web","image":"busybox",
      "envFrom":[{"configMapRef":{"name":"cfg"}}]}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  EXPECT_EQ(node_.config("web").envs_size(), 1);
  EXPECT_THAT(events_.events(),
              Contains("InvalidEnvironmentVariableNames: Keys [a.b] from the EnvFrom configMap "
                       "default/cfg were skipped since they are considered invalid environment "
                       "variable names."));
}

TEST_F(PodManagerTest, WhatIsMountedBesidesVolumes) {
  Start();
  Apply("web", R"({"hostAliases":[{"ip":"10.1.2.3","hostnames":["foo","bar"]}],
      "containers":[{"name":"web","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  const auto config = node_.config("web");
  ASSERT_EQ(config.mounts_size(), 2);
  EXPECT_EQ(config.mounts(0).container_path(), "/dev/termination-log");
  EXPECT_EQ(config.mounts(1).container_path(), "/etc/hosts");
}

TEST_F(PodManagerTest, ARuntimeWithoutVolumesGetsDirectoriesAndRefusesTheRest) {
  node_.SetVolumes(false);
  Start();
  Apply("dir", R"({"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"web",
      "image":"busybox","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"a"}]}]})");
  Apply("down", R"({"volumes":[{"name":"d","downwardAPI":{"items":[]}}],"containers":[
      {"name":"down","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("dir", "Running"));
  EXPECT_THAT(node_.config("web").mounts(1).host_path(), HasSubstr("/volumes/v/a"));
  EXPECT_FALSE(node_.config("web").annotations().contains("io.crisp.volume-mounts"));
  ASSERT_TRUE(Eventually([&] { return events_.Count("FailedMount") > 0; }));
  EXPECT_THAT(events_.events(), Contains(HasSubstr("has no downwardAPI volumes")));
}

// The host's id of root inside, as the newest sandbox has it; 0 without a user namespace.
uint32_t RootOf(const runtime::v1::PodSandboxConfig& config) {
  const auto& options = config.linux().security_context().namespace_options();
  return options.has_userns_options() ? options.userns_options().uids(0).host_id() : 0;
}

TEST_F(PodManagerTest, APodKeepsItsUserNamespaceUntilItIsOver) {
  constexpr char kOwnUsers[] = R"({"hostUsers":false,"restartPolicy":"OnFailure",
      "containers":[{"name":"web","image":"busybox"}]})";
  Start();
  const std::string uid = Apply("web", kOwnUsers);
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  const uint32_t first = RootOf(node_.sandbox_config());
  EXPECT_GE(first, 65536u);
  const auto container = node_.config("web");
  const auto& users = container.linux().security_context().namespace_options().userns_options();
  EXPECT_EQ(users.uids(0).host_id(), first);
  EXPECT_EQ(container.mounts(0).container_path(), "/dev/termination-log");
  EXPECT_EQ(container.mounts(0).uidmappings(0).host_id(), first);
  // Another sandbox, and another agent.
  Restart();
  node_.StopSandboxes();
  ASSERT_TRUE(Eventually([&] { return node_.sandbox_config().metadata().attempt() == 1; }));
  ASSERT_TRUE(Eventually([&] { return node_.Running("web") == 1; }));
  EXPECT_EQ(RootOf(node_.sandbox_config()), first);
  const std::string record = options_.pod_root + "/" + uid + "/userns";
  EXPECT_OK(ReadFile(record));
  // Another pod, until the first one is over.
  Apply("other", R"({"hostUsers":false,"containers":[{"name":"other","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("other", "Running"));
  const auto root_of_other = [&] {
    return node_.config("other")
        .linux()
        .security_context()
        .namespace_options()
        .userns_options()
        .uids(0)
        .host_id();
  };
  EXPECT_GE(root_of_other(), 65536u);
  EXPECT_NE(root_of_other(), first);
  node_.Exit("web", 0);
  ASSERT_TRUE(BecomesPhase("web", "Succeeded"));
  EXPECT_TRUE(Eventually([&] { return !ReadFile(record).ok(); }));
}

TEST_F(PodManagerTest, UserNamespacesOfPodsThatAreGoneAreFree) {
  Start();
  const std::string uid =
      Apply("web", R"({"hostUsers":false,"containers":[{"name":"web","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("web", "Running"));
  const uint32_t first = RootOf(node_.sandbox_config());
  manager_.reset();
  node_.LoseEverything();
  EXPECT_OK(store_->Remove({"Pod", "default", "web"}, uid));
  Start();
  Apply("next", R"({"hostUsers":false,"containers":[{"name":"next","image":"busybox"}]})");
  ASSERT_TRUE(BecomesPhase("next", "Running"));
  EXPECT_EQ(RootOf(node_.sandbox_config()), first);
}

TEST_F(PodManagerTest, WithoutUserNamespacesInTheRuntimeThereIsNoPod) {
  node_.SetUserNamespaces("", false);
  node_.SetUserNamespaces("runc", false);
  Start();
  Apply("web", R"({"hostUsers":false,"containers":[{"name":"web","image":"busybox"}]})");
  Apply("runc", R"({"hostUsers":false,"runtimeClassName":"runc",
      "containers":[{"name":"web","image":"busybox"}]})");
  Apply("none", R"({"hostUsers":false,"runtimeClassName":"none",
      "containers":[{"name":"web","image":"busybox"}]})");
  Apply("plain", kOne);
  ASSERT_TRUE(Eventually([&] { return events_.Count("FailedCreatePodSandBox") >= 3; }));
  ASSERT_TRUE(BecomesPhase("plain", "Running"));
  EXPECT_EQ(node_.CountCalls("RunPodSandbox"), 1u);
  const std::string why =
      "FailedCreatePodSandBox: Failed to create pod sandbox: can't set `spec.hostUsers: false`, ";
  EXPECT_THAT(events_.events(), Contains(why + "runtime does not support user namespaces"));
  EXPECT_THAT(events_.events(),
              Contains(why + "RuntimeClass handler \"runc\" does not support user namespaces"));
  EXPECT_THAT(events_.events(),
              Contains(why + "RuntimeClass handler \"none\" does not support user "
                             "namespaces: no such handler"));
  EXPECT_EQ(Phase("web"), "Pending");
  // It is waited for.
  node_.SetUserNamespaces("", true);
  EXPECT_TRUE(BecomesPhase("web", "Running"));
}

}  // namespace
}  // namespace crisp::agent
