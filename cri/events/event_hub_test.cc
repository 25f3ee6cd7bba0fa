#include "cri/events/event_hub.h"

#include <thread>

#include "base/status_matchers.h"
#include "cri/containers/one_pod_test_env.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class EventHubTest : public OnePodTestEnv {
 protected:
  std::shared_ptr<Container> Add(const std::string& id, bool created) {
    state::v1::ContainerRecord record;
    record.set_id(id);
    record.set_created(created);
    record.mutable_config()->mutable_metadata()->set_name(id);
    auto container = std::make_shared<Container>(pod_, "boot", record);
    EXPECT_OK(store_.Add(container));
    return container;
  }

  ContainerStore store_;
  FakeClock clock_;
  EventHub hub_{&store_, &clock_};
};

TEST_F(EventHubTest, AnEventShowsThePodAndAllItsContainers) {
  Add("one", true);
  const auto two = Add("two", true);
  Add("half-made", false);
  const auto subscription = hub_.Subscribe();
  EXPECT_THAT(subscription->Next(absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  two->RecordExit(3, 1, false);
  hub_.Happened(runtime::v1::CONTAINER_STOPPED_EVENT, "two", *pod_);
  ASSERT_OK_AND_ASSIGN(const EventHub::Event event, subscription->Next(absl::Seconds(1)));
  EXPECT_EQ(event->container_id(), "two");
  EXPECT_EQ(event->container_event_type(), runtime::v1::CONTAINER_STOPPED_EVENT);
  EXPECT_EQ(event->created_at(), clock_.NowNs());
  EXPECT_EQ(event->pod_sandbox_status().id(), "pod");
  EXPECT_EQ(event->pod_sandbox_status().metadata().uid(), "uid");
  ASSERT_THAT(event->containers_statuses(), SizeIs(2));
  EXPECT_EQ(event->containers_statuses(0).id(), "one");
  EXPECT_EQ(event->containers_statuses(1).exit_code(), 3);
}

TEST_F(EventHubTest, TimesGrowThoughTheClockStands) {
  const auto subscription = hub_.Subscribe();
  int64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
    ASSERT_OK_AND_ASSIGN(const EventHub::Event event, subscription->Next(absl::Seconds(1)));
    EXPECT_GT(event->created_at(), last);
    last = event->created_at();
  }
}

TEST_F(EventHubTest, EachSubscriberGetsAllFromItsBeginning) {
  const auto early = hub_.Subscribe();
  hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
  const auto late = hub_.Subscribe();
  hub_.Happened(runtime::v1::CONTAINER_STARTED_EVENT, "x", *pod_);
  EXPECT_OK(early->Next(absl::Seconds(1)));
  ASSERT_OK_AND_ASSIGN(const EventHub::Event a, early->Next(absl::Seconds(1)));
  ASSERT_OK_AND_ASSIGN(const EventHub::Event b, late->Next(absl::Seconds(1)));
  EXPECT_EQ(a, b);
}

TEST_F(EventHubTest, WhoFallsBehindIsToldAndHoldsUpNobody) {
  const auto slow = hub_.Subscribe();
  const auto quick = hub_.Subscribe();
  for (size_t i = 0; i < kMaxQueuedEvents; ++i) {
    hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
    EXPECT_OK(quick->Next(absl::Seconds(1)));
  }
  // Up to the bound nothing is lost.
  EXPECT_OK(slow->Next(absl::ZeroDuration()));
  hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
  EXPECT_OK(slow->Next(absl::ZeroDuration()));
  for (int i = 0; i < 2; ++i) hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
  EXPECT_THAT(slow->Next(absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1000 events")));
  EXPECT_OK(quick->Next(absl::Seconds(1)));
  // And again, whatever happens.
  hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
  EXPECT_THAT(slow->Next(absl::ZeroDuration()), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(EventHubTest, LargeEventsCountByTheirBytes) {
  for (int i = 0; i < 20; ++i) {
    const auto container = Add("c" + std::to_string(i), true);
    container->RecordExit(1, 1, false, "Error", std::string(100'000, 'x'));
  }
  const auto slow = hub_.Subscribe();
  for (size_t i = 0; i < kMaxQueuedBytes / 2'000'000 + 1; ++i) {
    hub_.Happened(runtime::v1::CONTAINER_CREATED_EVENT, "x", *pod_);
  }
  EXPECT_THAT(slow->Next(absl::ZeroDuration()), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(EventHubTest, ClosingEndsThoseThatWait) {
  const auto subscription = hub_.Subscribe();
  std::thread closer([&] { hub_.Close(); });
  EXPECT_THAT(subscription->Next(absl::Seconds(30)), StatusIs(absl::StatusCode::kUnavailable));
  closer.join();
  EXPECT_THAT(hub_.Subscribe()->Next(absl::Seconds(30)), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace crisp::cri
