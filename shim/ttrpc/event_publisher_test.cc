#include "shim/ttrpc/event_publisher.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "api/shim/wire/events.pb.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/loop/run_until.h"
#include "shim/ttrpc/server.h"
#include "shim/ttrpc/test_client.h"

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EventPublisherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Short: a socket's path has 107 bytes.
    std::string pattern = "/tmp/crisp-events.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = JoinPath(dir_, "s");
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    publisher_ = std::make_unique<EventPublisher>(loop_.get(), path_, "k8s.io");
  }
  void TearDown() override {
    publisher_.reset();
    containerd_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }
  void StartContainerd() {
    containerd_ = std::make_unique<TtrpcServer>(
        loop_.get(), [this](absl::string_view service, absl::string_view method,
                            absl::string_view payload, Reply reply) {
          EXPECT_EQ(service, "containerd.services.events.ttrpc.v1.Events");
          EXPECT_EQ(method, "Forward");
          wire::ForwardRequest request;
          EXPECT_TRUE(request.ParseFromArray(payload.data(), static_cast<int>(payload.size())));
          const wire::Envelope& envelope = request.envelope();
          if (refuse_ > 0) {
            --refuse_;
            return std::move(reply).Error(absl::UnavailableError("not now"));
          }
          EXPECT_EQ(envelope.namespace_(), "k8s.io");
          EXPECT_GT(envelope.timestamp().seconds(), 0);
          EXPECT_EQ(envelope.event().type_url(), "containerd.events.TaskOOM");
          wire::TaskOOM event;
          EXPECT_TRUE(event.ParseFromString(envelope.event().value()));
          seen_.push_back(event.container_id());
          std::move(reply).Ok(wire::Empty());
        });
    ::unlink(path_.c_str());
    ASSERT_OK(containerd_->Serve(ListenAt(path_)));
  }
  void Publish(const std::string& id) {
    wire::TaskOOM event;
    event.set_container_id(id);
    publisher_->Publish("/tasks/oom", "containerd.events.TaskOOM", event);
  }
  bool Idle() {
    return RunUntil(loop_.get(), [this] { return publisher_->idle(); });
  }

  std::string dir_, path_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<TtrpcServer> containerd_;
  std::unique_ptr<EventPublisher> publisher_;
  std::vector<std::string> seen_;
  int refuse_ = 0;
};

TEST_F(EventPublisherTest, EventsArriveInOrder) {
  StartContainerd();
  for (const char* id : {"a", "b", "c", "d"}) Publish(id);
  ASSERT_TRUE(Idle());
  EXPECT_THAT(seen_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(EventPublisherTest, EventsWaitForAContainerdThatRestarts) {
  StartContainerd();
  Publish("a");
  ASSERT_TRUE(Idle());
  containerd_.reset();
  Publish("b");
  Publish("c");
  RunFor(loop_.get(), absl::Milliseconds(150));
  EXPECT_FALSE(publisher_->idle());
  StartContainerd();
  ASSERT_TRUE(Idle());
  EXPECT_THAT(seen_, ElementsAre("a", "b", "c"));
}

TEST_F(EventPublisherTest, ARefusedEventIsTriedAgainAndThenDropped) {
  StartContainerd();
  refuse_ = 2;
  Publish("a");
  ASSERT_TRUE(Idle());
  EXPECT_THAT(seen_, ElementsAre("a"));
  refuse_ = 5;
  Publish("b");
  Publish("c");
  ASSERT_TRUE(Idle());
  EXPECT_THAT(seen_, ElementsAre("a", "c"));
}

TEST_F(EventPublisherTest, TheOldestGoWhenTooManyWait) {
  for (size_t i = 0; i < EventPublisher::kMaxQueued + 3; ++i) Publish(std::to_string(i));
  RunFor(loop_.get(), absl::Milliseconds(10));
  StartContainerd();
  ASSERT_TRUE(Idle());
  ASSERT_EQ(seen_.size(), EventPublisher::kMaxQueued);
  EXPECT_EQ(seen_.front(), "3");
}

TEST_F(EventPublisherTest, WithoutAnAddressEventsGoNowhere) {
  publisher_ = std::make_unique<EventPublisher>(loop_.get(), "", "k8s.io");
  Publish("a");
  EXPECT_TRUE(publisher_->idle());
  EXPECT_THAT(seen_, IsEmpty());
}

}  // namespace
}  // namespace crisp::shim
