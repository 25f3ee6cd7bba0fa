#include "agent/pods/pod_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace crisp::agent {
namespace {

using Phase = ContainerState::Phase;

const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01T00:00:00Z

class World {
 public:
  World() {
    in_.now = kNow;
    in_.qos_class = "BestEffort";
    in_.host_ip = "192.0.2.1";
    in_.runtime_name = "crisp";
  }
  World& Policy(const std::string& policy) {
    in_.restart_policy = policy;
    return *this;
  }
  World& Init(const std::string& name, bool sidecar = false) {
    in_.init.push_back({name, "busybox", sidecar});
    return *this;
  }
  World& Main(const std::string& name) {
    in_.main.push_back({name, "busybox", false});
    return *this;
  }
  World& Box() {
    pod_.sandboxes = {{"s0", 0, true, kNow, {"10.85.0.7", "fd00::7"}}};
    return *this;
  }
  ContainerState& Add(const std::string& name, Phase phase, int code = 0, int restarts = 0) {
    ContainerState& c = pod_.containers.emplace_back();
    c.id = absl::StrCat(name, "-", restarts);
    c.name = name;
    c.sandbox_id = "s0";
    c.phase = phase;
    c.exit_code = code;
    c.restart_count = restarts;
    c.image_id = "sha256:1";
    c.created_at = c.started_at = kNow - absl::Seconds(60);
    if (phase == Phase::kExited) c.finished_at = kNow - absl::Seconds(30);
    return c;
  }
  World& Runs(const std::string& name) {
    Add(name, Phase::kRunning);
    return *this;
  }
  World& Ended(const std::string& name, int code) {
    Add(name, Phase::kExited, code);
    return *this;
  }
  World& Waits(const std::string& name, const std::string& reason) {
    in_.waiting[name] = {reason, "because"};
    return *this;
  }
  StatusInput& in() { return in_; }

  Json Build() {
    history_.emplace(pod_, in_.previous);
    in_.observed = &pod_;
    in_.history = &*history_;
    return BuildPodStatus(in_);
  }
  std::string PhaseNow() { return TextAt(Build(), "phase"); }

 private:
  StatusInput in_;
  RuntimePod pod_;
  std::optional<ContainerHistory> history_;
};

Json ConditionOf(const Json& status, const std::string& type) {
  for (const Json& condition : status["conditions"]) {
    if (condition["type"] == type) return condition;
  }
  return Json();
}

TEST(PodStatusTest, Phases) {
  const auto always = [] { return World().Main("a").Main("b"); };
  const auto never = [] { return World().Policy("Never").Main("a").Main("b"); };
  const auto on_failure = [] { return World().Policy("OnFailure").Main("a").Main("b"); };
  EXPECT_EQ(always().PhaseNow(), "Pending");
  EXPECT_EQ(always().Box().Runs("a").PhaseNow(), "Pending");
  EXPECT_EQ(always().Box().Runs("a").Runs("b").PhaseNow(), "Running");
  EXPECT_EQ(always().Box().Runs("a").Ended("b", 0).PhaseNow(), "Running");
  EXPECT_EQ(always().Box().Ended("a", 1).Ended("b", 0).PhaseNow(), "Running");
  EXPECT_EQ(always().Box().Ended("a", 1).Ended("b", 1).Waits("a", "CrashLoopBackOff").PhaseNow(),
            "Running");
  EXPECT_EQ(never().Box().Ended("a", 0).Ended("b", 0).PhaseNow(), "Succeeded");
  EXPECT_EQ(never().Box().Ended("a", 0).Ended("b", 2).PhaseNow(), "Failed");
  EXPECT_EQ(never().Box().Ended("a", 2).Runs("b").PhaseNow(), "Running");
  EXPECT_EQ(on_failure().Box().Ended("a", 0).Ended("b", 0).PhaseNow(), "Succeeded");
  EXPECT_EQ(on_failure().Box().Ended("a", 0).Ended("b", 2).PhaseNow(), "Running");
  const auto init = [](const std::string& policy) {
    return World().Policy(policy).Init("i").Main("a").Box();
  };
  EXPECT_EQ(init("Always").Runs("i").PhaseNow(), "Pending");
  EXPECT_EQ(init("Always").Ended("i", 1).PhaseNow(), "Pending");
  EXPECT_EQ(init("Never").Ended("i", 1).PhaseNow(), "Failed");
  EXPECT_EQ(init("Never").Ended("i", 0).PhaseNow(), "Pending");
  EXPECT_EQ(init("Never").Ended("i", 0).Runs("a").PhaseNow(), "Running");
  World over = always().Box().Runs("a").Runs("b");
  over.in().previous = {{"phase", "Failed"}, {"reason", "DeadlineExceeded"}};
  EXPECT_EQ(over.PhaseNow(), "Failed");
  EXPECT_EQ(TextAt(over.Build(), "reason"), "DeadlineExceeded");
  World failed = always().Box().Runs("a").Runs("b");
  failed.in().failed = Waiting{"DeadlineExceeded", "too long"};
  EXPECT_EQ(failed.PhaseNow(), "Failed");
}

TEST(PodStatusTest, ContainerStates) {
  World world = World().Main("a").Box();
  EXPECT_EQ(TextAt(world.Build()["containerStatuses"][0], "state.waiting.reason"),
            "ContainerCreating");
  EXPECT_EQ(
      TextAt(World().Init("i").Main("a").Build()["containerStatuses"][0], "state.waiting.reason"),
      "PodInitializing");

  world.Add("a", Phase::kExited, 1, 0);
  world.Add("a", Phase::kExited, 137, 1).reason = "OOMKilled";
  world.in().last_words["a-1"] = "last words";
  Json a = world.Build()["containerStatuses"][0];
  EXPECT_EQ(a["restartCount"], 1);
  EXPECT_EQ(a["containerID"], "crisp://a-1");
  EXPECT_EQ(a["imageID"], "sha256:1");
  EXPECT_EQ(a["state"]["terminated"]["reason"], "OOMKilled");
  EXPECT_EQ(a["state"]["terminated"]["message"], "last words");
  EXPECT_EQ(a["state"]["terminated"]["startedAt"], "2025-12-31T23:59:00Z");
  EXPECT_EQ(a["state"]["terminated"]["finishedAt"], "2025-12-31T23:59:30Z");
  EXPECT_EQ(a["lastState"]["terminated"]["reason"], "Error");
  EXPECT_EQ(a["lastState"]["terminated"]["containerID"], "crisp://a-0");

  world.Waits("a", "CrashLoopBackOff");
  a = world.Build()["containerStatuses"][0];
  EXPECT_EQ(a["state"]["waiting"]["reason"], "CrashLoopBackOff");
  EXPECT_EQ(a["state"]["waiting"]["message"], "because");
  EXPECT_EQ(a["lastState"]["terminated"]["reason"], "OOMKilled");
  EXPECT_FALSE(a["ready"].get<bool>());

  world.Add("a", Phase::kRunning, 0, 2);
  world.in().waiting.clear();
  a = world.Build()["containerStatuses"][0];
  EXPECT_EQ(a["state"]["running"]["startedAt"], "2025-12-31T23:59:00Z");
  EXPECT_EQ(a["lastState"]["terminated"]["reason"], "OOMKilled");
  EXPECT_TRUE(a["ready"].get<bool>());
  EXPECT_TRUE(a["started"].get<bool>());
  world.in().ready["a"] = false;
  EXPECT_FALSE(world.Build()["containerStatuses"][0]["ready"].get<bool>());
  world.in().ready["a"] = true;
  world.in().progress["a"].started = false;
  a = world.Build()["containerStatuses"][0];
  EXPECT_FALSE(a["started"].get<bool>());
  EXPECT_FALSE(a["ready"].get<bool>());
}

TEST(PodStatusTest, ConditionsAndAddresses) {
  World pending = World().Init("i").Main("a").Main("b").Box();
  Json status = pending.Build();
  EXPECT_EQ(ConditionOf(status, "PodReadyToStartContainers")["status"], "True");
  EXPECT_EQ(ConditionOf(status, "PodScheduled")["status"], "True");
  EXPECT_EQ(ConditionOf(status, "Initialized")["reason"], "ContainersNotInitialized");
  EXPECT_EQ(ConditionOf(status, "Initialized")["message"],
            "containers with incomplete status: [i]");
  EXPECT_EQ(ConditionOf(status, "Ready")["message"], "containers with unready status: [a b]");
  EXPECT_EQ(status["podIP"], "10.85.0.7");
  EXPECT_EQ(status["podIPs"][1]["ip"], "fd00::7");
  EXPECT_EQ(status["hostIP"], "192.0.2.1");
  EXPECT_EQ(status["startTime"], "2026-01-01T00:00:00Z");

  World ready = World().Main("a").Box().Runs("a");
  EXPECT_EQ(ConditionOf(ready.Build(), "Ready")["status"], "True");
  EXPECT_EQ(ConditionOf(ready.Build(), "ContainersReady")["status"], "True");
  World done = World().Policy("Never").Main("a").Ended("a", 0);
  EXPECT_EQ(ConditionOf(done.Build(), "Ready")["reason"], "PodCompleted");
  EXPECT_EQ(ConditionOf(done.Build(), "Initialized")["status"], "True");
  World host = World().Main("a").Box().Runs("a");
  host.in().host_network = true;
  EXPECT_EQ(host.Build()["podIP"], "192.0.2.1");
}

TEST(PodStatusTest, TransitionTimesChangeWithTheStatusAlone) {
  World world = World().Main("a").Box();
  const Json first = world.Build();
  world.in().previous = first;
  world.in().now = kNow + absl::Hours(1);
  // Nothing has happened: nothing is to be written.
  EXPECT_EQ(world.Build(), first);
  world.Runs("a");
  const Json second = world.Build();
  EXPECT_EQ(ConditionOf(second, "Ready")["lastTransitionTime"], "2026-01-01T01:00:00Z");
  EXPECT_EQ(ConditionOf(second, "Initialized")["lastTransitionTime"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(second["startTime"], first["startTime"]);
}

TEST(PodStatusTest, ConditionsOfOthersStay) {
  World world = World().Main("a").Box();
  world.in().previous["conditions"] = Json::array({{{"type", "Mine"}, {"status", "True"}}});
  EXPECT_EQ(ConditionOf(world.Build(), "Mine")["status"], "True");
}

TEST(PodStatusTest, WhatTheRuntimeLostIsKnownFromTheLastStatus) {
  World before = World().Main("a").Box();
  before.Add("a", Phase::kExited, 3, 1);
  before.Add("a", Phase::kRunning, 0, 2);
  World after = World().Main("a");
  after.in().previous = before.Build();
  const Json a = after.Build()["containerStatuses"][0];
  EXPECT_EQ(a["restartCount"], 2);
  EXPECT_EQ(a["state"]["terminated"]["reason"], "ContainerStatusUnknown");
  EXPECT_EQ(a["state"]["terminated"]["exitCode"], 137);
  EXPECT_EQ(a["lastState"]["terminated"]["exitCode"], 3);
  World never = World().Policy("Never").Main("a");
  never.in().previous = before.Build();
  EXPECT_EQ(never.PhaseNow(), "Failed");
}

TEST(PodStatusTest, AHookThatRunsHoldsTheContainer) {
  World world = World().Main("a").Box().Runs("a");
  world.in().progress["a"].busy = true;
  EXPECT_EQ(TextAt(world.Build()["containerStatuses"][0], "state.waiting.reason"),
            "ContainerCreating");
  EXPECT_EQ(world.PhaseNow(), "Pending");
}

TEST(PodStatusTest, Unknown) {
  const Json known = World().Main("a").Box().Runs("a").Build();
  const Json unknown = UnknownPodStatus(known, "node-a", kNow + absl::Minutes(2));
  EXPECT_EQ(unknown["phase"], "Unknown");
  EXPECT_EQ(unknown["reason"], "NodeLost");
  EXPECT_EQ(ConditionOf(unknown, "Ready")["status"], "Unknown");
  EXPECT_EQ(unknown["containerStatuses"], known["containerStatuses"]);
  const Json done = {{"phase", "Succeeded"}};
  EXPECT_EQ(UnknownPodStatus(done, "node-a", kNow), done);
}

}  // namespace
}  // namespace crisp::agent
