#include "cri/containers/update_resources.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cgroup/cgroup.h"
#include "cgroup/limits.h"
#include "cri/pods/pod_test_env.h"
#include "cri/pods/run_pod.h"
#include "cri/pods/stop_pod.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

// Writes to a real cgroup, as a runtime would.
class CgroupDriver : public FakeTaskDriver {
 public:
  absl::Status Update(const std::string&, const std::string& json) override {
    return update(nlohmann::json::parse(json));
  }
  std::function<absl::Status(const nlohmann::json&)> update;
};

class UpdateResourcesTest : public PodTestEnv {
 protected:
  void SetUp() override {
    PodTestEnv::SetUp();
    auto hosts = cgroup::Hierarchies::Probe();
    if (!hosts.ok()) GTEST_SKIP() << hosts.status();
    hosts_ = *hosts;
    path_ = absl::StrCat("/crisp-test-", RandomHex(8));
    cgroup::Resources limits;
    limits.memory_limit = 64 * kMiB;
    limits.cpu_shares = 512;
    ASSERT_OK_AND_ASSIGN(const auto made, cgroup::Cgroup::Create(hosts_, path_, limits));
    handlers_.Add("cgroup", cgroup_driver_);
    node_.node = &context_;
    node_.containers = &containers_;
    ASSERT_OK_AND_ASSIGN(pod_, RunPod(context_, PodConfig("web"), "cgroup"));
    state::v1::ContainerRecord record;
    record.set_id("c");
    record.set_pod_id(pod_->id());
    record.mutable_config()->mutable_metadata()->set_name("main");
    record.set_created(true);
    record.set_cgroup_path(path_);
    record.set_spec_json(R"({"process": {}, "linux": {"resources": {"devices": [1]}}})");
    record.mutable_resources()->mutable_linux()->set_memory_limit_in_bytes(64 * kMiB);
    record.mutable_resources()->mutable_linux()->set_cpu_shares(512);
    container_ = std::make_shared<Container>(pod_, "boot-1", record);
  }
  void TearDown() override {
    if (pod_ != nullptr) {
      EXPECT_OK(StopPod(context_, *pod_));
    }
    if (const auto made = cgroup::Cgroup::Open(hosts_, path_); made.ok()) {
      EXPECT_OK(made->Remove());
    }
    PodTestEnv::TearDown();
  }

  void Running() {
    ASSERT_OK(container_->facts().Update([](auto& facts) { facts.set_started_at(1); }));
    TaskSpec task;
    task.id = "c";
    ASSERT_OK(cgroup_driver_->Create(task));
  }
  cgroup::Resources Kernel() { return *cgroup::ReadLimits(hosts_, path_, {}); }
  absl::Status Write(const nlohmann::json& json) {
    const auto group = cgroup::Cgroup::Open(hosts_, path_);
    return group->Update(*cgroup::ParseResources(json, "r"));
  }
  runtime::v1::LinuxContainerResources Reported() {
    return container_->facts().Get().resources().linux();
  }

  cgroup::Hierarchies hosts_;
  std::string path_;
  std::shared_ptr<CgroupDriver> cgroup_driver_ = std::make_shared<CgroupDriver>();
  ContainerStore containers_;
  ContainerContext node_;
  std::shared_ptr<Pod> pod_;
  std::shared_ptr<Container> container_;
};

TEST_F(UpdateResourcesTest, WhatTheKernelHoldsIsReported) {
  Running();
  cgroup_driver_->update = [&](const nlohmann::json& json) { return Write(json); };
  runtime::v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(32 * kMiB + 100);
  update.set_cpu_quota(20000);
  update.set_cpu_period(100000);
  ASSERT_OK(UpdateResources(node_, *container_, update));
  EXPECT_EQ(Reported().memory_limit_in_bytes(), 32 * kMiB);  // Whole pages.
  EXPECT_EQ(Reported().cpu_quota(), 20000);
  EXPECT_EQ(Reported().cpu_shares(), 512);
  const auto spec = nlohmann::json::parse(container_->facts().Get().spec_json());
  EXPECT_EQ(spec["linux"]["resources"]["cpu"]["quota"], 20000);
  EXPECT_EQ(spec["linux"]["resources"]["devices"], nlohmann::json({1}));
}

TEST_F(UpdateResourcesTest, AnUpdateThatFailsHalfWayLeavesNothingChanged) {
  Running();
  cgroup_driver_->update = [&](const nlohmann::json& json) {
    nlohmann::json half = {{"memory", json["memory"]}, {"cpu", {{"shares", 99}}}};
    EXPECT_OK(Write(half));
    EXPECT_EQ(Kernel().memory_limit, 16 * kMiB);
    return absl::InternalError("cpuset: no such CPU");
  };
  const std::string spec_before = container_->facts().Get().spec_json();
  runtime::v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(16 * kMiB);
  update.set_cpuset_cpus("4095");
  EXPECT_THAT(UpdateResources(node_, *container_, update),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("no such CPU")));
  EXPECT_EQ(Kernel().memory_limit, 64 * kMiB);
  EXPECT_EQ(Kernel().cpu_shares, cgroup::ReadLimits(hosts_, path_,
                                                    [] {
                                                      cgroup::Resources wanted;
                                                      wanted.cpu_shares = 512;
                                                      return wanted;
                                                    }())
                                     ->cpu_shares);
  EXPECT_EQ(Reported().memory_limit_in_bytes(), 64 * kMiB);
  EXPECT_EQ(container_->facts().Get().spec_json(), spec_before);
}

TEST_F(UpdateResourcesTest, AContainerThatHasNotStartedChangesItsSpecOnly) {
  runtime::v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(16 * kMiB);
  update.set_oom_score_adj(500);
  ASSERT_OK(UpdateResources(node_, *container_, update));
  EXPECT_EQ(Kernel().memory_limit, 64 * kMiB);
  const auto spec = nlohmann::json::parse(container_->facts().Get().spec_json());
  EXPECT_EQ(spec["linux"]["resources"]["memory"]["limit"], 16 * kMiB);
  EXPECT_EQ(spec["process"]["oomScoreAdj"], 500);
  EXPECT_EQ(Reported().oom_score_adj(), 500);
}

TEST_F(UpdateResourcesTest, AContainerThatEndedIsRefused) {
  ASSERT_OK(container_->facts().Update([](auto& facts) { facts.set_finished_at(1); }));
  EXPECT_THAT(UpdateResources(node_, *container_, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace crisp::cri
