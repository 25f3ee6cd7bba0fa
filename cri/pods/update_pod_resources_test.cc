#include "cri/pods/update_pod_resources.h"

#include <unistd.h>

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

class UpdatePodResourcesTest : public PodTestEnv {
 protected:
  void SetUp() override {
    PodTestEnv::SetUp();
    auto hosts = cgroup::Hierarchies::Probe();
    if (!hosts.ok()) GTEST_SKIP() << hosts.status();
    hosts_ = *hosts;
    context_.cgroup_parent = absl::StrCat("/crisp-test-", RandomHex(8));
  }
  void TearDown() override {
    if (pod_ != nullptr) {
      EXPECT_OK(StopPod(context_, *pod_));
    }
    if (const auto made = cgroup::Cgroup::Open(hosts_, context_.cgroup_parent); made.ok()) {
      EXPECT_OK(made->Remove());
    }
    PodTestEnv::TearDown();
  }

  // The runtime's part of it: the fake one makes no cgroups.
  void Run(runtime::v1::PodSandboxConfig config) {
    ASSERT_OK_AND_ASSIGN(pod_, RunPod(context_, config, ""));
    path_ = pod_->cgroup_path().substr(0, pod_->cgroup_path().rfind('/'));
    cgroup::Resources before;
    before.memory_limit = 64 * kMiB;
    ASSERT_OK(cgroup::Cgroup::Create(hosts_, path_, before));
  }
  cgroup::Resources Kernel() { return *cgroup::ReadLimits(hosts_, path_, {}); }
  static runtime::v1::UpdatePodSandboxResourcesRequest Request(int64_t memory, int64_t overhead) {
    runtime::v1::UpdatePodSandboxResourcesRequest request;
    request.mutable_resources()->set_memory_limit_in_bytes(memory);
    request.mutable_resources()->set_cpu_quota(20000);
    request.mutable_resources()->set_cpu_period(100000);
    if (overhead > 0) request.mutable_overhead()->set_memory_limit_in_bytes(overhead);
    return request;
  }

  cgroup::Hierarchies hosts_;
  std::string path_;
  std::shared_ptr<Pod> pod_;
};

TEST_F(UpdatePodResourcesTest, ThePodsOwnCgroupIsHeldToThemAndTheOverhead) {
  Run(PodConfig("web"));
  ASSERT_OK(UpdatePodResources(context_, *pod_, Request(32 * kMiB + 100, 8 * kMiB)));
  EXPECT_EQ(Kernel().memory_limit, 40 * kMiB);
  EXPECT_EQ(Kernel().cpu_quota, 20000);
  const auto facts = pod_->facts().Get();
  EXPECT_EQ(facts.resources().memory_limit_in_bytes(), 32 * kMiB + 100);
  EXPECT_EQ(facts.overhead().memory_limit_in_bytes(), 8 * kMiB);
  EXPECT_EQ(facts.held().memory_limit_in_bytes(), 40 * kMiB);  // Whole pages.

  // What is not said stays.
  runtime::v1::UpdatePodSandboxResourcesRequest more;
  more.mutable_resources()->set_memory_limit_in_bytes(48 * kMiB);
  ASSERT_OK(UpdatePodResources(context_, *pod_, more));
  EXPECT_EQ(Kernel().memory_limit, 56 * kMiB);
  EXPECT_EQ(Kernel().cpu_quota, 20000);
}

TEST_F(UpdatePodResourcesTest, AllOrNothing) {
  Run(PodConfig("web"));
  auto request = Request(32 * kMiB, 0);
  request.mutable_resources()->set_cpuset_cpus("4095");
  EXPECT_FALSE(UpdatePodResources(context_, *pod_, request).ok());
  EXPECT_EQ(Kernel().memory_limit, 64 * kMiB);
  EXPECT_EQ(Kernel().cpu_quota, -1);
  EXPECT_EQ(pod_->facts().Get().resources().memory_limit_in_bytes(), 0);
}

TEST_F(UpdatePodResourcesTest, ARecordThatCannotBeWrittenTakesTheLimitsBack) {
  Run(PodConfig("web"));
  // The record is written by a rename into the pod's directory.
  ASSERT_EQ(::rename(pod_->directory().c_str(), (pod_->directory() + "-away").c_str()), 0);
  EXPECT_FALSE(UpdatePodResources(context_, *pod_, Request(32 * kMiB, 0)).ok());
  EXPECT_EQ(Kernel().memory_limit, 64 * kMiB);
  ASSERT_EQ(::rename((pod_->directory() + "-away").c_str(), pod_->directory().c_str()), 0);
}

TEST_F(UpdatePodResourcesTest, ACgroupOfTheCallersIsTheCallers) {
  auto config = PodConfig("web");
  config.mutable_linux()->set_cgroup_parent(absl::StrCat(context_.cgroup_parent, "/kubelets"));
  Run(config);
  ASSERT_OK(UpdatePodResources(context_, *pod_, Request(32 * kMiB, 0)));
  EXPECT_EQ(Kernel().memory_limit, 64 * kMiB);
  EXPECT_EQ(pod_->facts().Get().resources().memory_limit_in_bytes(), 32 * kMiB);
  EXPECT_FALSE(pod_->facts().Get().has_held());
}

TEST_F(UpdatePodResourcesTest, Refusals) {
  Run(PodConfig("web"));
  auto request = Request(1, 0);
  EXPECT_THAT(UpdatePodResources(context_, *pod_, request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("resources.memory_limit")));
  request = Request(32 * kMiB, 0);
  request.mutable_overhead()->set_oom_score_adj(5);
  EXPECT_THAT(UpdatePodResources(context_, *pod_, request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("overhead.oom_score_adj")));
  ASSERT_OK(StopPod(context_, *pod_));
  EXPECT_THAT(UpdatePodResources(context_, *pod_, Request(32 * kMiB, 0)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace crisp::cri
