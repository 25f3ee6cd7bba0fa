#include "agent/pods/pod_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace crisp::agent {
namespace {

using Phase = ContainerState::Phase;

constexpr absl::Time Now() { return absl::FromUnixSeconds(1'700'000'000); }

// A pod and what is true of it, in a few words.
class World {
 public:
  World() {
    in_.restart_policy = "Always";
    in_.full_name = "web_default(u)";
    in_.now = Now();
  }
  World& Policy(const std::string& policy) {
    in_.restart_policy = policy;
    return *this;
  }
  World& Init(const std::string& name) {
    in_.init.push_back({name, "image", false});
    return *this;
  }
  World& Sidecar(const std::string& name) {
    in_.init.push_back({name, "image", true});
    return *this;
  }
  World& Main(const std::string& name) {
    in_.main.push_back({name, "image", false});
    return *this;
  }
  World& Sandbox(const std::string& id, uint32_t attempt, bool ready) {
    pod_.sandboxes.insert(pod_.sandboxes.begin(), {id, attempt, ready, Now(), {"10.0.0.1"}});
    return *this;
  }
  World& Box() { return Sandbox("s0", 0, true); }
  ContainerState& Add(const std::string& name, Phase phase, int code = 0, int restarts = 0) {
    ContainerState& c = pod_.containers.emplace_back();
    c.id = absl::StrCat(name, "-", restarts);
    c.name = name;
    c.sandbox_id = pod_.sandboxes.empty() ? "" : pod_.sandboxes[0].id;
    c.phase = phase;
    c.exit_code = code;
    c.restart_count = restarts;
    c.created_at = c.started_at = Now() - absl::Seconds(100);
    if (phase == Phase::kExited) c.finished_at = Now() - absl::Seconds(1);
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
  World& Status(Json status) {
    status_ = std::move(status);
    return *this;
  }
  World& Ending(bool remove) {
    in_.ending = true;
    in_.remove = remove;
    return *this;
  }
  SyncInput& in() { return in_; }

  const SyncPlan& Plan() {
    history_.emplace(pod_, status_);
    in_.observed = &pod_;
    in_.history = &*history_;
    plan_ = DecideNext(in_);
    return plan_;
  }
  // The plan in one line.
  std::string Line() {
    Plan();
    std::vector<std::string> out;
    for (const auto& kill : plan_.kill) out.push_back("kill " + kill.id);
    for (const auto& id : plan_.stop_sandboxes) out.push_back("stop " + id);
    for (const auto& id : plan_.remove_containers) out.push_back("drop " + id);
    for (const auto& id : plan_.remove_sandboxes) out.push_back("remove " + id);
    if (plan_.create_sandbox) out.push_back(absl::StrCat("sandbox ", *plan_.create_sandbox));
    for (const auto& s : plan_.start) {
      out.push_back(absl::StrCat("start ", s.name, "#", s.restart_count));
    }
    if (plan_.gone) out.push_back("gone");
    return absl::StrJoin(out, ", ");
  }

 private:
  SyncInput in_;
  RuntimePod pod_;
  Json status_;
  std::optional<ContainerHistory> history_;
  SyncPlan plan_;
};

TEST(PodSyncTest, StartOrder) {
  const auto pod = [] { return World().Init("i1").Init("i2").Main("a").Main("b"); };
  EXPECT_EQ(pod().Line(), "sandbox 0");
  EXPECT_EQ(pod().Box().Line(), "start i1#0");
  EXPECT_EQ(pod().Box().Runs("i1").Line(), "");
  EXPECT_EQ(pod().Box().Ended("i1", 0).Line(), "start i2#0");
  EXPECT_EQ(pod().Box().Ended("i1", 0).Runs("i2").Line(), "");
  EXPECT_EQ(pod().Box().Ended("i1", 0).Ended("i2", 0).Line(), "start a#0, start b#0");
  EXPECT_EQ(pod().Box().Ended("i1", 0).Ended("i2", 0).Runs("a").Line(), "start b#0");
  EXPECT_EQ(pod().Box().Ended("i1", 0).Ended("i2", 0).Runs("a").Runs("b").Line(), "");
  // Once the others have begun, nobody asks for the init containers any more.
  EXPECT_EQ(pod().Box().Runs("a").Runs("b").Line(), "");
}

TEST(PodSyncTest, FailedInitContainer) {
  EXPECT_EQ(World().Init("i").Main("a").Box().Ended("i", 1).Line(), "start i#1");
  EXPECT_EQ(World().Policy("OnFailure").Init("i").Main("a").Box().Ended("i", 1).Line(),
            "start i#1");
  EXPECT_EQ(World().Policy("Never").Init("i").Main("a").Box().Ended("i", 1).Line(), "");
}

TEST(PodSyncTest, SidecarsStartInTurnAndStayAlive) {
  const auto pod = [] { return World().Sidecar("s").Init("i").Main("a"); };
  EXPECT_EQ(pod().Box().Line(), "start s#0");
  EXPECT_EQ(pod().Box().Runs("s").Line(), "start i#0");
  World unstarted = pod().Box().Runs("s");
  unstarted.in().progress["s"].started = false;
  EXPECT_EQ(unstarted.Line(), "");
  EXPECT_EQ(pod().Box().Runs("s").Ended("i", 0).Line(), "start a#0");
  // It ended: it comes back whatever the policy, and does not hold up the others.
  EXPECT_EQ(pod().Policy("Never").Box().Ended("s", 0).Ended("i", 0).Runs("a").Line(), "start s#1");
  // Before the others began, they wait for it.
  EXPECT_EQ(pod().Box().Ended("s", 3).Ended("i", 0).Line(), "start s#1");
}

TEST(PodSyncTest, RestartPolicies) {
  const struct {
    const char* policy;
    int code;
    const char* line;
  } cases[] = {
      {"Always", 0, "start a#1"},    {"Always", 1, "start a#1"}, {"OnFailure", 0, ""},
      {"OnFailure", 1, "start a#1"}, {"Never", 0, ""},           {"Never", 1, ""},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(World().Policy(test.policy).Main("a").Box().Ended("a", test.code).Line(), test.line)
        << test.policy << " " << test.code;
  }
}

TEST(PodSyncTest, AnotherImageIsAnotherContainer) {
  // A pod whose containers were made from "old", where its spec says "image".
  const auto pod = [](const char* policy) {
    World world = World().Policy(policy).Sidecar("s").Init("i").Main("a").Main("b").Box();
    world.Add("s", Phase::kRunning).made_of = "image";
    world.Add("i", Phase::kExited).made_of = "image";
    world.Add("a", Phase::kRunning).made_of = "old";
    world.Add("b", Phase::kRunning).made_of = "image";
    return world;
  };
  World world = pod("Always");
  EXPECT_EQ(world.Line(), "kill a-0");
  EXPECT_EQ(world.Plan().kill[0].message, "Container a definition changed, will be restarted");
  EXPECT_TRUE(world.Plan().kill[0].replaced);
  world.in().killing = {"a-0"};
  EXPECT_EQ(world.Line(), "");
  // So is a sidecar; an init container that is done is not done again.
  World sidecar = World().Sidecar("s").Init("i").Main("a").Box().Runs("a");
  sidecar.Add("s", Phase::kRunning).made_of = "old";
  sidecar.Add("i", Phase::kExited).made_of = "old";
  EXPECT_EQ(sidecar.Line(), "kill s-0");
  World init = World().Init("i").Main("a").Box();
  init.Add("i", Phase::kRunning).made_of = "old";
  EXPECT_EQ(init.Line(), "");
  // What it was made from is not known: an agent before this one made it.
  EXPECT_EQ(World().Main("a").Box().Runs("a").Line(), "");
}

TEST(PodSyncTest, WhatIsReplacedComesBackWhateverThePolicyAndAtOnce) {
  for (const char* policy : {"Always", "OnFailure", "Never"}) {
    World world = World().Policy(policy).Main("a").Box();
    ContainerState& ended = world.Add("a", Phase::kExited, 0, 3);
    ended.made_of = "old";
    ended.next_back_off = absl::Minutes(5);
    world.in().progress["a"].replaced = "a-3";
    EXPECT_EQ(world.Line(), "start a#4") << policy;
    EXPECT_EQ(world.Plan().start[0].next_back_off, absl::ZeroDuration());
  }
  // It ended by itself before its definition changed.
  World done = World().Policy("Never").Main("a").Box();
  done.Add("a", Phase::kExited).made_of = "old";
  EXPECT_EQ(done.Line(), "");
}

TEST(PodSyncTest, CrashLoopWaitsAndSaysHowLong) {
  World world = World().Main("a").Box();
  ContainerState& ended = world.Add("a", Phase::kExited, 1, 2);
  ended.next_back_off = absl::Seconds(20);
  ended.finished_at = Now() - absl::Seconds(5);
  EXPECT_EQ(world.Line(), "");
  const SyncPlan& plan = world.Plan();
  EXPECT_EQ(plan.waiting.at("a").reason, "CrashLoopBackOff");
  EXPECT_EQ(plan.waiting.at("a").message,
            "back-off 20s restarting failed container=a pod=web_default(u)");
  EXPECT_EQ(plan.wake_at, Now() + absl::Seconds(15));
  world.in().now = Now() + absl::Seconds(15);
  EXPECT_EQ(world.Line(), "start a#3");
  EXPECT_EQ(world.Plan().start[0].next_back_off, absl::Seconds(40));
}

TEST(PodSyncTest, ACreatedContainerIsMadeAnewUnderItsNumber) {
  World world = World().Main("a").Box();
  world.Add("a", Phase::kCreated, 0, 4);
  ASSERT_EQ(world.Line(), "start a#4");
  EXPECT_EQ(world.Plan().start[0].replaces, "a-4");
}

TEST(PodSyncTest, ADeadSandboxIsReplacedAndCountsGoOn) {
  World dead = World().Main("a").Sandbox("s0", 0, false);
  dead.Add("a", Phase::kExited, 137, 3);
  EXPECT_EQ(dead.Line(), "sandbox 1");
  EXPECT_TRUE(dead.Plan().sandbox_changed);
  // Something of it lives still: first it must not.
  World alive = World().Main("a").Sandbox("s0", 0, false);
  alive.Add("a", Phase::kRunning, 0, 3);
  EXPECT_EQ(alive.Line(), "stop s0");
  // The new one gets the next number, and the old one goes.
  World next = World().Main("a").Sandbox("s0", 0, false);
  next.Add("a", Phase::kExited, 137, 3);
  next.Sandbox("s1", 1, true);
  EXPECT_EQ(next.Line(), "remove s0, start a#4");
  // Init containers run again in it.
  World init = World().Init("i").Main("a").Sandbox("s0", 0, false);
  init.Add("i", Phase::kExited, 0, 0);
  init.Add("a", Phase::kExited, 137, 0);
  init.Sandbox("s1", 1, true);
  EXPECT_EQ(init.Line(), "remove s0, start i#1");
}

TEST(PodSyncTest, NothingToRestartMakesNoNewSandbox) {
  for (const char* policy : {"Never", "OnFailure"}) {
    World world = World().Policy(policy).Main("a").Sandbox("s0", 0, false).Ended("a", 0);
    EXPECT_EQ(world.Line(), "") << policy;
  }
  World failed = World().Policy("OnFailure").Main("a").Sandbox("s0", 0, false).Ended("a", 137);
  EXPECT_EQ(failed.Line(), "sandbox 1");
}

TEST(PodSyncTest, ARebootIsARestartOfWhatRan) {
  const Json status = {{"containerStatuses",
                        {{{"name", "a"},
                          {"restartCount", 2},
                          {"containerID", "crisp://old"},
                          {"state", {{"running", {{"startedAt", "2026-01-01T00:00:00Z"}}}}}}}}};
  EXPECT_EQ(World().Main("a").Status(status).Line(), "sandbox 0");
  EXPECT_EQ(World().Main("a").Status(status).Box().Line(), "start a#3");
  EXPECT_EQ(World().Policy("OnFailure").Main("a").Status(status).Box().Line(), "start a#3");
  EXPECT_EQ(World().Policy("Never").Main("a").Status(status).Line(), "");
  Json done = status;
  done["containerStatuses"][0]["state"] = {
      {"terminated", {{"exitCode", 0}, {"containerID", "crisp://old"}}}};
  EXPECT_EQ(World().Policy("OnFailure").Main("a").Status(done).Line(), "");
  EXPECT_EQ(World().Main("a").Status(done).Box().Line(), "start a#3");
}

TEST(PodSyncTest, AFailedProbeKillsAndSaysWhetherItComesBack) {
  World world = World().Main("a").Box().Runs("a");
  world.in().grace = absl::Seconds(30);
  world.in().progress["a"].unhealthy =
      ContainerProgress::Unhealthy{"Container a failed liveness probe", std::nullopt};
  ASSERT_EQ(world.Line(), "kill a-0");
  EXPECT_EQ(world.Plan().kill[0].message, "Container a failed liveness probe, will be restarted");
  EXPECT_EQ(world.Plan().kill[0].grace, absl::Seconds(30));
  world.in().progress["a"].unhealthy->grace = absl::Seconds(5);
  EXPECT_EQ(world.Plan().kill[0].grace, absl::Seconds(5));
  world.Policy("Never");
  EXPECT_EQ(world.Plan().kill[0].message, "Container a failed liveness probe");
  world.in().killing = {"a-0"};
  EXPECT_EQ(world.Line(), "");
}

TEST(PodSyncTest, TheEndIsInReverse) {
  const auto pod = [] { return World().Sidecar("s1").Sidecar("s2").Main("a").Main("b").Box(); };
  EXPECT_EQ(pod().Runs("s1").Runs("s2").Runs("a").Runs("b").Ending(true).Line(),
            "kill a-0, kill b-0");
  EXPECT_EQ(pod().Runs("s1").Runs("s2").Ended("a", 0).Runs("b").Ending(true).Line(), "kill b-0");
  EXPECT_EQ(pod().Runs("s1").Runs("s2").Ended("a", 0).Ended("b", 0).Ending(true).Line(),
            "kill s2-0");
  EXPECT_EQ(pod().Runs("s1").Ended("s2", 0).Ended("a", 0).Ending(true).Line(), "kill s1-0");
  EXPECT_EQ(pod().Ended("s1", 0).Ending(true).Line(), "stop s0");
  EXPECT_EQ(World().Main("a").Sandbox("s0", 0, false).Ending(true).Line(), "remove s0");
  EXPECT_EQ(World().Main("a").Ending(true).Line(), "gone");
  // A pod that is complete keeps its records, for its logs.
  EXPECT_EQ(World().Main("a").Sandbox("s0", 0, false).Ending(false).Line(), "");
}

TEST(PodSyncTest, OneEndedContainerOfANameIsKept) {
  World world = World().Main("a").Box();
  world.Add("a", Phase::kExited, 1, 0);
  world.Add("a", Phase::kExited, 1, 1);
  world.Add("a", Phase::kRunning, 0, 2);
  EXPECT_EQ(world.Line(), "drop a-0");
}

TEST(PodSyncTest, WhatCouldNotBeStartedWaits) {
  World world = World().Main("a").Main("b").Box();
  world.in().progress["a"].waiting = Waiting{"ErrImagePull", "no"};
  world.in().progress["a"].retry_at = Now() + absl::Seconds(7);
  EXPECT_EQ(world.Line(), "start b#0");
  EXPECT_EQ(world.Plan().waiting.at("a").reason, "ErrImagePull");
  EXPECT_EQ(world.Plan().wake_at, Now() + absl::Seconds(7));
  world.in().progress["a"].busy = true;
  EXPECT_EQ(world.Line(), "start b#0");
  World sandbox = World().Main("a");
  sandbox.in().sandbox_retry_at = Now() + absl::Seconds(1);
  EXPECT_EQ(sandbox.Line(), "");
  EXPECT_EQ(sandbox.Plan().wake_at, Now() + absl::Seconds(1));
}

}  // namespace
}  // namespace crisp::agent
