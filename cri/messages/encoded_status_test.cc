#include <memory>
#include <string>

#include "base/status_matchers.h"
#include "cri/containers/container.h"
#include "cri/containers/one_pod_test_env.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/message_field.h"
#include "cri/messages/pod_messages.h"

namespace crisp::cri {
namespace {

using runtime::v1::PodSandboxStatusResponse;

class EncodedStatusTest : public OnePodTestEnv {
 protected:
  void SetUp() override {
    OnePodTestEnv::SetUp();
    state::v1::ContainerRecord record;
    record.set_id("container");
    record.set_created(true);
    record.mutable_config()->mutable_metadata()->set_name("main");
    container_ = std::make_shared<Container>(pod_, "boot", record);
  }

  std::shared_ptr<Container> container_;
};

TEST_F(EncodedStatusTest, FollowsTheContainer) {
  const Encoded created = EncodedContainerStatus(*container_);
  EXPECT_EQ(EncodedContainerStatus(*container_), created);  // Kept while nothing changes.
  runtime::v1::ContainerStatus expected;
  FillContainerStatus(*container_, &expected);
  EXPECT_EQ(*created, expected.SerializeAsString());
  container_->RecordExit(7, 5, false);
  runtime::v1::ContainerStatus exited;
  ASSERT_TRUE(exited.ParseFromString(*EncodedContainerStatus(*container_)));
  EXPECT_EQ(exited.state(), runtime::v1::CONTAINER_EXITED);
  EXPECT_EQ(exited.exit_code(), 7);
  EXPECT_EQ(*created, expected.SerializeAsString());  // An answer under way is not touched.
}

TEST_F(EncodedStatusTest, FollowsThePod) {
  const Encoded ready = EncodedPodSandboxStatus(*pod_);
  EXPECT_EQ(EncodedPodSandboxStatus(*pod_), ready);
  runtime::v1::PodSandboxStatus status;
  ASSERT_TRUE(status.ParseFromString(*ready));
  EXPECT_EQ(status.state(), runtime::v1::SANDBOX_READY);
  ASSERT_OK(pod_->facts().Update([](state::v1::PodRecord& facts) { facts.set_exited_at(5); }));
  ASSERT_TRUE(status.ParseFromString(*EncodedPodSandboxStatus(*pod_)));
  EXPECT_EQ(status.state(), runtime::v1::SANDBOX_NOTREADY);
}

TEST(MessageField, IsWhatProtobufWrites) {
  for (const size_t size : {0, 1, 100, 127, 128, 300, 16383, 16384, 3000000}) {
    runtime::v1::ContainerStatus container;
    container.set_message(std::string(size, 'x'));
    PodSandboxStatusResponse expected;
    *expected.add_containers_statuses() = container;
    std::string bytes;
    AppendField<PodSandboxStatusResponse::kContainersStatusesFieldNumber>(
        container.SerializeAsString(), &bytes);
    EXPECT_EQ(bytes, expected.SerializeAsString()) << size;
  }
}

}  // namespace
}  // namespace crisp::cri
