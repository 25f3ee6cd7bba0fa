#include "agent/runtime/cri_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "agent/cri_client.h"
#include "agent/fake_node.h"
#include "agent/pod_config.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using Phase = ContainerState::Phase;

class CriRuntimeTest : public ::testing::Test {
 protected:
  // A pod with one container, as the pod manager makes it.
  void MakePod(int restart_count) {
    config_.mutable_metadata()->set_name("web");
    config_.mutable_metadata()->set_namespace_("default");
    config_.mutable_metadata()->set_uid("uid-1");
    (*config_.mutable_labels())[kPodUidLabel] = "uid-1";
    (*config_.mutable_annotations())[kNodeAgentAnnotation] = "node-a";
    ASSERT_OK_AND_ASSIGN(sandbox_, runtime_->RunPodSandbox(config_, ""));
    runtime::v1::ContainerConfig container;
    container.mutable_metadata()->set_name("c");
    container.mutable_metadata()->set_attempt(static_cast<uint32_t>(restart_count));
    (*container.mutable_labels())[kPodUidLabel] = "uid-1";
    (*container.mutable_annotations())[kRestartCountAnnotation] = std::to_string(restart_count);
    (*container.mutable_annotations())[kBackOffAnnotation] = "20000";
    ASSERT_OK_AND_ASSIGN(container_, runtime_->CreateContainer(sandbox_, container, config_));
  }

  FakeNode node_;
  CriClient client_{node_.address()};
  std::unique_ptr<PodRuntime> runtime_ = MakeCriRuntime(client_);
  runtime::v1::PodSandboxConfig config_;
  std::string sandbox_, container_;
};

TEST_F(CriRuntimeTest, APodIsReadWholeFromARuntimeThatListsOnly) {
  MakePod(3);
  ASSERT_OK_AND_ASSIGN(RuntimePod pod, runtime_->GetPod("uid-1"));
  ASSERT_EQ(pod.sandboxes.size(), 1u);
  EXPECT_TRUE(pod.ours);
  EXPECT_EQ(pod.name, "web");
  ASSERT_NE(pod.ReadySandbox(), nullptr);
  EXPECT_EQ(pod.ReadySandbox()->ips, std::vector<std::string>{"10.85.0.7"});
  ASSERT_EQ(pod.containers.size(), 1u);
  EXPECT_EQ(pod.containers[0].phase, Phase::kCreated);
  EXPECT_EQ(pod.containers[0].restart_count, 3);
  EXPECT_EQ(pod.containers[0].next_back_off, absl::Seconds(20));
  EXPECT_EQ(pod.containers[0].sandbox_id, sandbox_);
  ASSERT_OK(runtime_->StartContainer(container_));
  ASSERT_OK_AND_ASSIGN(pod, runtime_->GetPod("uid-1"));
  EXPECT_EQ(pod.containers[0].phase, Phase::kRunning);
  ASSERT_OK(runtime_->StopContainer(container_, absl::Milliseconds(1500)));
  EXPECT_THAT(node_.calls(), ::testing::Contains("StopContainer:2")) << "rounded up";
  ASSERT_OK_AND_ASSIGN(pod, runtime_->GetPod("another"));
  EXPECT_TRUE(pod.sandboxes.empty());
  ASSERT_OK_AND_ASSIGN(const std::vector<RuntimePod> all, runtime_->ListPods());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].ours);
}

TEST_F(CriRuntimeTest, WhatIsGoneIsStoppedAndRemoved) {
  node_.Fail("StopPodSandbox", {grpc::StatusCode::NOT_FOUND, "gone"});
  EXPECT_OK(runtime_->StopPodSandbox("x"));
  node_.Fail("StopPodSandbox", {grpc::StatusCode::INTERNAL, "broken"});
  EXPECT_THAT(runtime_->StopPodSandbox("x"), StatusIs(absl::StatusCode::kInternal));
}

TEST_F(CriRuntimeTest, ImagesAndCommands) {
  ASSERT_OK_AND_ASSIGN(std::optional<ImageFacts> image, runtime_->ImageStatus("busybox"));
  EXPECT_FALSE(image.has_value());
  ASSERT_OK_AND_ASSIGN(const std::string ref,
                       runtime_->PullImage("busybox", std::nullopt, config_));
  EXPECT_FALSE(node_.pull_request().has_auth());
  ASSERT_OK(runtime_->PullImage("busybox", RegistryCredentials{"me", "secret"}, config_));
  EXPECT_EQ(node_.pull_request().auth().username(), "me");
  EXPECT_EQ(node_.pull_request().auth().password(), "secret");
  ASSERT_OK_AND_ASSIGN(image, runtime_->ImageStatus(ref));
  EXPECT_EQ(image->id, ref);
  runtime::v1::ExecSyncResponse reply;
  reply.set_exit_code(3);
  reply.set_stdout("out");
  reply.set_stderr("err");
  node_.SetExec(reply);
  ASSERT_OK_AND_ASSIGN(const ExecResult result,
                       runtime_->ExecSync("id", {"a", "b"}, absl::Seconds(2)));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "outerr");
  EXPECT_EQ(node_.exec_request().timeout(), 2);
  ASSERT_OK_AND_ASSIGN(const std::string name, runtime_->Name());
  EXPECT_EQ(name, "fake");
  ASSERT_OK_AND_ASSIGN(const bool volumes, runtime_->HasVolumes());
  EXPECT_TRUE(volumes);
}

TEST_F(CriRuntimeTest, AHandlerSaysWhetherItHasUserNamespaces) {
  EXPECT_THAT(runtime_->HasUserNamespaces(""), IsOkAndHolds(true));
  EXPECT_THAT(runtime_->HasUserNamespaces("runc"), IsOkAndHolds(false));
  EXPECT_THAT(runtime_->HasUserNamespaces("other"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CriRuntimeTest, WithoutAStreamOfEventsWatchSaysSo) {
  EXPECT_THAT(runtime_->Watch([] {}, [](const std::string&) {}),
              StatusIs(absl::StatusCode::kUnimplemented));
}

TEST_F(CriRuntimeTest, AfterCancelAllNothingIsWaitedFor) {
  runtime_->CancelAll();
  EXPECT_THAT(runtime_->PullImage("busybox", std::nullopt, config_),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_OK(runtime_->Watch([] {}, [](const std::string&) {}));
  // Somebody else's calls go on.
  runtime::v1::VersionRequest request;
  EXPECT_OK(client_.Runtime(&runtime::v1::RuntimeService::Stub::Version, request));
}

}  // namespace
}  // namespace crisp::agent
