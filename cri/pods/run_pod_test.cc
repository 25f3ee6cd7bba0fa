#include "cri/pods/run_pod.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "base/no_threads.h"
#include "cri/pods/pod_files.h"
#include "cri/pods/pod_test_env.h"
#include "cri/pods/remove_pod.h"
#include "cri/pods/stop_pod.h"
#include "cri/records/record_file.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class RunPodTest : public PodTestEnv {
 protected:
  absl::StatusOr<std::shared_ptr<Pod>> Run(const runtime::v1::PodSandboxConfig& config) {
    return RunPod(context_, config, "");
  }
  bool NothingIsLeft() const {
    return pods_.All().empty() && std::filesystem::is_empty(context_.pods_dir);
  }
};

TEST_F(RunPodTest, ARunningPodIsReadyAndOnDisk) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(PodConfig("web")));
  EXPECT_TRUE(pod->ready());
  EXPECT_EQ(pod->created_at(), clock_.NowNs());
  EXPECT_TRUE(driver_->Has(pod->id()));
  EXPECT_TRUE(driver_->Spec(pod->id()).is_sandbox);
  state::v1::PodRecord record;
  std::string boot;
  ASSERT_OK(ReadRecord(pod->RecordPath(), &record, &boot));
  EXPECT_TRUE(record.started());
  EXPECT_EQ(record.config().SerializeAsString(), PodConfig("web").SerializeAsString());
  EXPECT_EQ(record.cgroup_path(), "/crisp-unit-test/" + pod->id() + "/" + pod->id());

  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_FALSE(pod->ready());
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(RemovePod(context_, *pod));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(RunPodTest, ANameIsTakenOnceAndFreeAgainAfterRemoval) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(PodConfig("web")));
  EXPECT_THAT(Run(PodConfig("web")),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(pod->id())));
  runtime::v1::PodSandboxConfig next_attempt = PodConfig("web");
  next_attempt.mutable_metadata()->set_attempt(1);
  EXPECT_OK(Run(next_attempt));
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(RemovePod(context_, *pod));
  EXPECT_OK(Run(PodConfig("web")));
}

TEST_F(RunPodTest, AnUnknownHandlerIsNamedAndChangesNothing) {
  EXPECT_THAT(RunPod(context_, PodConfig("web"), "kata"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("kata")));
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_THAT(driver_->calls(), IsEmpty());
}

TEST_F(RunPodTest, AFailureAtEitherStepOfTheDriverLeavesNothing) {
  for (const char* step : {"Create", "Start"}) {
    driver_->FailNext(step, absl::InternalError("no cgroup"));
    EXPECT_THAT(Run(PodConfig("web")),
                StatusIs(absl::StatusCode::kInternal,
                         HasSubstr("run pod default/web: start the pause process: no cgroup")))
        << step;
    EXPECT_TRUE(NothingIsLeft()) << step;
  }
  EXPECT_OK(Run(PodConfig("web")));
}

TEST_F(RunPodTest, AMissingConfigMapIsNamedAndLeavesNothing) {
  runtime::v1::PodSandboxConfig config = PodConfig("web");
  (*config.mutable_annotations())[kVolumesAnnotation] =
      R"([{"name":"conf","configMap":{"name":"nowhere"}}])";
  EXPECT_THAT(Run(config),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("default/nowhere")));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(RunPodTest, TheFsGroupIsTheVolumesGroup) {
  runtime::v1::PodSandboxConfig config = PodConfig("web");
  (*config.mutable_annotations())[kFsGroupAnnotation] = "2000";
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(config));
  EXPECT_EQ(PodIdentityOf(context_, *pod).fs_group, absl::optional<gid_t>(2000));
  (*config.mutable_annotations())[kFsGroupAnnotation] = "-1";
  config.mutable_metadata()->set_name("other");
  EXPECT_THAT(Run(config),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(kFsGroupAnnotation)));
}

TEST_F(RunPodTest, WhatCannotBeUndoneStaysListedUntilItIsStopped) {
  driver_->FailNext("Start", absl::InternalError("shim died"));
  driver_->FailNext("Delete", absl::UnavailableError("containerd is away"));
  EXPECT_FALSE(Run(PodConfig("web")).ok());
  ASSERT_EQ(pods_.All().size(), 1u);
  const std::shared_ptr<Pod> pod = pods_.All()[0];
  EXPECT_TRUE(pod->listed());
  EXPECT_FALSE(pod->ready());
  EXPECT_THAT(Run(PodConfig("web")), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(RemovePod(context_, *pod));
  EXPECT_TRUE(NothingIsLeft());
}

// With a network and a /dev/shm of its own: mounts and namespaces are real.
class RunPodOnNetworkTest : public RunPodTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: makes mounts and network namespaces";
    // What the test mounts is seen by nobody else, and ends with the process.
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    RunPodTest::SetUp();
  }
  void TearDown() override {
    if (!base_.empty()) RunPodTest::TearDown();
  }
  static runtime::v1::PodSandboxConfig NetworkedConfig() {
    runtime::v1::PodSandboxConfig config = PodConfig("web");
    config.mutable_linux()->mutable_security_context()->clear_namespace_options();
    config.set_hostname("web");
    return config;
  }
};

TEST_F(RunPodOnNetworkTest, AddressesAreKeptAndReleasedWithThePod) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(NetworkedConfig()));
  const state::v1::PodRecord facts = pod->facts().Get();
  EXPECT_THAT(facts.ips(), ElementsAre("10.0.0.2", "fd00::2"));
  EXPECT_EQ(::access(facts.netns_path().c_str(), F_OK), 0);
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_THAT(network_.calls, ElementsAre("Attach " + pod->id(), "Release " + pod->id()));
  EXPECT_NE(::access(facts.netns_path().c_str(), F_OK), 0);
  EXPECT_OK(RemovePod(context_, *pod));
  EXPECT_TRUE(NothingIsLeft());
}

// RunPod undoes itself by StopPod while it unwinds: what that throws ends crispd.
TEST_F(RunPodOnNetworkTest, APodEndsWhereNoThreadCanBeStarted) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(NetworkedConfig()));
  const NoThreads none;
  EXPECT_OK(Run(PodConfig("other")));
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_THAT(network_.calls, ElementsAre("Attach " + pod->id(), "Release " + pod->id()));
}

TEST_F(RunPodOnNetworkTest, APodWithoutAHostnameGetsTheNodes) {
  runtime::v1::PodSandboxConfig config = NetworkedConfig();
  config.clear_hostname();
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(config));
  EXPECT_EQ(PodHostname(*pod, context_.node_name), context_.node_name);
  ASSERT_OK_AND_ASSIGN(const std::string file, ReadFile(pod->HostnamePath(), 100));
  EXPECT_EQ(file, context_.node_name + "\n");
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(RemovePod(context_, *pod));
}

TEST_F(RunPodOnNetworkTest, AFailedNetworkIsReleasedAndLeavesNothing) {
  network_.attach_result = absl::InternalError("no address left");
  EXPECT_THAT(Run(NetworkedConfig()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("set up the pod's network")));
  ASSERT_EQ(network_.calls.size(), 2u);
  EXPECT_THAT(network_.calls[1], StartsWith("Release "));
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_TRUE(std::filesystem::is_empty(context_.netns_dir));
}

TEST_F(RunPodOnNetworkTest, AReleaseThatFailsIsTriedAgain) {
  ASSERT_OK_AND_ASSIGN(const std::shared_ptr<Pod> pod, Run(NetworkedConfig()));
  network_.release_result = absl::InternalError("plugin crashed");
  EXPECT_THAT(StopPod(context_, *pod),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("release the pod's network")));
  EXPECT_FALSE(pod->ready());  // Pause is gone all the same.
  network_.release_result = absl::OkStatus();
  EXPECT_OK(StopPod(context_, *pod));
  EXPECT_OK(RemovePod(context_, *pod));
}

}  // namespace
}  // namespace crisp::cri
