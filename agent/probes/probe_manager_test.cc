#include "agent/probes/probe_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace crisp::agent {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

// Answers as the test says, by the probe's own service name.
class ScriptedRunner : public ProbeRunner {
 public:
  ProbeOutcome Run(const ProbeTarget&, const Probe& probe) override {
    const std::string name = std::get<ExecAction>(probe.action).command[0];
    absl::MutexLock lock(&mu_);
    ++runs_[name];
    return answers_[name];
  }
  void Answer(const std::string& name, ProbeOutcome::Result result) {
    absl::MutexLock lock(&mu_);
    answers_[name] = {result, "output"};
  }
  int Runs(const std::string& name) {
    absl::MutexLock lock(&mu_);
    return runs_[name];
  }

 private:
  absl::Mutex mu_;
  std::map<std::string, ProbeOutcome> answers_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> runs_ ABSL_GUARDED_BY(mu_);
};

class Recorder : public EventRecorder {
 public:
  void Record(const Json&, EventType, const std::string& reason, const std::string& message,
              const std::string& field_path, const std::string&) override {
    EXPECT_EQ(field_path, "spec.containers{web}");
    absl::MutexLock lock(&mu_);
    events_.push_back(absl::StrCat(reason, ": ", message));
  }
  std::vector<std::string> events() const {
    absl::MutexLock lock(&mu_);
    return events_;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

class ProbeManagerTest : public ::testing::Test {
 protected:
  using Result = ProbeOutcome::Result;

  static Probe Named(const std::string& name, int failures = 1) {
    Probe probe;
    probe.action = ExecAction{{name}};
    probe.period_seconds = 1;
    probe.failure_threshold = failures;
    return probe;
  }
  ProbedContainer Web(const std::string& id = "id-1") const {
    ProbedContainer out;
    out.pod = std::make_shared<const Json>(Json::object());
    out.pod_uid = "uid";
    out.target.container_id = id;
    out.target.container_name = "web";
    out.started_at = absl::Now();
    return out;
  }
  static bool Eventually(const std::function<bool()>& is_so) {
    for (int i = 0; i < 1000; ++i) {
      if (is_so()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }

  ScriptedRunner runner_;
  Recorder events_;
  std::atomic<int> changes_ = 0;
  ElasticPool pool_{8};
  ProbeManager probes_{&runner_, &events_, Clock::Real(), &pool_, [this](const std::string& uid) {
                         EXPECT_EQ(uid, "uid");
                         ++changes_;
                       }};
};

TEST_F(ProbeManagerTest, NotReadyBeforeTheFirstSuccess) {
  ProbedContainer web = Web();
  web.readiness = Named("ready");
  EXPECT_FALSE(probes_.Watch(web).ready);
  EXPECT_TRUE(Eventually([&] { return probes_.Watch(web).ready; }));
  EXPECT_EQ(changes_, 1);
  absl::SleepFor(absl::Milliseconds(1200));
  EXPECT_GE(runner_.Runs("ready"), 2);
  EXPECT_EQ(changes_, 1) << "the same answer is no news";
  EXPECT_THAT(events_.events(), IsEmpty());
  runner_.Answer("ready", Result::kFailure);
  EXPECT_TRUE(Eventually([&] { return !probes_.Watch(web).ready; }));
  EXPECT_FALSE(probes_.Watch(web).unhealthy.has_value());
  EXPECT_THAT(events_.events(), Contains("Unhealthy: Readiness probe failed: output"));
}

TEST_F(ProbeManagerTest, LivenessFailsAfterSoManyInARow) {
  ProbedContainer web = Web();
  web.liveness = Named("alive", 2);
  web.liveness->termination_grace_period_seconds = 4;
  runner_.Answer("alive", Result::kFailure);
  EXPECT_FALSE(probes_.Watch(web).unhealthy.has_value());
  ASSERT_TRUE(Eventually([&] { return probes_.Watch(web).unhealthy.has_value(); }));
  EXPECT_EQ(runner_.Runs("alive"), 2);
  EXPECT_EQ(probes_.Watch(web).unhealthy->message, "Container web failed liveness probe");
  EXPECT_EQ(probes_.Watch(web).unhealthy->grace, absl::Seconds(4));
  absl::SleepFor(absl::Milliseconds(1300));
  EXPECT_EQ(runner_.Runs("alive"), 2) << "nobody asks a container that is on its way out";
}

TEST_F(ProbeManagerTest, OthersWaitForTheStartupProbe) {
  ProbedContainer web = Web();
  web.startup = Named("started", 100);
  web.liveness = Named("alive");
  web.readiness = Named("ready");
  runner_.Answer("started", Result::kFailure);
  EXPECT_FALSE(probes_.Watch(web).started);
  ASSERT_TRUE(Eventually([&] { return runner_.Runs("started") == 2; }));
  EXPECT_EQ(runner_.Runs("alive") + runner_.Runs("ready"), 0);
  runner_.Answer("started", Result::kSuccess);
  ASSERT_TRUE(Eventually([&] { return probes_.Watch(web).started; }));
  ASSERT_TRUE(Eventually([&] { return probes_.Watch(web).ready; }));
  const int asked = runner_.Runs("started");
  absl::SleepFor(absl::Milliseconds(1300));
  EXPECT_EQ(runner_.Runs("started"), asked);
  EXPECT_GE(runner_.Runs("alive"), 1);
}

TEST_F(ProbeManagerTest, AFailedStartupProbeEndsTheContainer) {
  ProbedContainer web = Web();
  web.startup = Named("started");
  runner_.Answer("started", Result::kFailure);
  probes_.Watch(web);
  ASSERT_TRUE(Eventually([&] { return probes_.Watch(web).unhealthy.has_value(); }));
  EXPECT_EQ(probes_.Watch(web).unhealthy->message, "Container web failed startup probe");
}

TEST_F(ProbeManagerTest, AProbeThatCannotBeMadeCountsForNothing) {
  ProbedContainer web = Web();
  web.liveness = Named("alive");
  runner_.Answer("alive", Result::kError);
  probes_.Watch(web);
  ASSERT_TRUE(Eventually([&] { return runner_.Runs("alive") >= 2; }));
  EXPECT_FALSE(probes_.Watch(web).unhealthy.has_value());
  EXPECT_THAT(events_.events(), Contains("Unhealthy: Liveness probe errored: output"));
  runner_.Answer("alive", Result::kWarning);
  EXPECT_TRUE(Eventually([&] {
    for (const std::string& event : events_.events()) {
      if (event == "ProbeWarning: Liveness probe warning: output") return true;
    }
    return false;
  }));
}

TEST_F(ProbeManagerTest, WhatAnotherAgentFoundStands) {
  ProbedContainer web = Web();
  web.startup = Named("started");
  web.readiness = Named("ready");
  web.assume_started = web.assume_ready = true;
  EXPECT_TRUE(probes_.Watch(web).started);
  EXPECT_TRUE(probes_.Watch(web).ready);
}

TEST_F(ProbeManagerTest, InitialDelayAndForgottenContainers) {
  ProbedContainer web = Web();
  web.liveness = Named("alive");
  web.liveness->initial_delay_seconds = 1;
  const absl::Time begun = absl::Now();
  probes_.Watch(web);
  ASSERT_TRUE(Eventually([&] { return runner_.Runs("alive") == 1; }));
  EXPECT_GE(absl::Now() - begun, absl::Milliseconds(990));
  probes_.KeepOnly("another", {});
  probes_.KeepOnly("uid", {"id-2"});
  absl::SleepFor(absl::Milliseconds(1300));
  EXPECT_EQ(runner_.Runs("alive"), 1);
}

}  // namespace
}  // namespace crisp::agent
