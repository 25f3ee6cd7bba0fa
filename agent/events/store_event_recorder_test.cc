#include "agent/events/store_event_recorder.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

class EventRecorderTest : public ::testing::Test {
 protected:
  EventRecorderTest() {
    char pattern[] = "/tmp/crisp-events.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    auto opened = ObjectStore::Open(directory_ + "/agent.db", &clock_);
    EXPECT_OK(opened);
    store_ = *std::move(opened);
    events_ = StoreEventRecorder::Create(store_.get(), &clock_, "node-1");
  }
  ~EventRecorderTest() override {
    events_.reset();
    store_.reset();
    EXPECT_OK(RemoveTree(directory_));
  }

  void Say(const std::string& reason, const std::string& message, const std::string& pod = "web") {
    events_->Record({{"apiVersion", "v1"},
                     {"kind", "Pod"},
                     {"metadata", {{"name", pod}, {"namespace", "prod"}, {"uid", "u-" + pod}}}},
                    EventType::kWarning, reason, message, "spec.containers{c}", "kubelet");
    events_->Flush();
  }
  std::vector<ObjectPtr> Events() { return store_->List("Event"); }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  std::string directory_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<StoreEventRecorder> events_;
};

TEST_F(EventRecorderTest, AnEventSaysAllOfIt) {
  Say("Unhealthy", "Liveness probe failed");
  ASSERT_EQ(Events().size(), 1);
  const Json& event = *Events()[0];
  EXPECT_EQ(TextAt(event, "metadata.name"), "web.18fae27693b40000");
  EXPECT_EQ(TextAt(event, "metadata.namespace"), "prod");
  EXPECT_EQ(TextAt(event, "involvedObject.kind"), "Pod");
  EXPECT_EQ(TextAt(event, "involvedObject.uid"), "u-web");
  EXPECT_EQ(TextAt(event, "involvedObject.fieldPath"), "spec.containers{c}");
  EXPECT_EQ(TextAt(event, "source.component"), "kubelet");
  EXPECT_EQ(TextAt(event, "source.host"), "node-1");
  EXPECT_EQ(TextAt(event, "type"), "Warning");
  EXPECT_EQ(TextAt(event, "firstTimestamp"), "2027-01-15T08:00:00Z");
}

TEST_F(EventRecorderTest, TheSameAgainIsCounted) {
  for (int i = 0; i < 3; ++i) {
    Say("Unhealthy", "Liveness probe failed");
    clock_.Advance(absl::Seconds(10));
  }
  Say("Unhealthy", "Liveness probe failed", "other");
  ASSERT_EQ(Events().size(), 2);
  const Json& event = *Events()[1];
  EXPECT_EQ(NumberAt(event, "count"), 3);
  EXPECT_EQ(TextAt(event, "firstTimestamp"), "2027-01-15T08:00:00Z");
  EXPECT_EQ(TextAt(event, "lastTimestamp"), "2027-01-15T08:00:20Z");
}

TEST_F(EventRecorderTest, ManySimilarOnesAreCombined) {
  for (int i = 0; i < 15; ++i) Say("Unhealthy", absl::StrCat("failed after ", i, " ms"));
  ASSERT_EQ(Events().size(), 10);  // Nine by themselves, and the heap.
  int combined = 0;
  for (const ObjectPtr& event : Events()) {
    if (TextAt(*event, "message") != "(combined from similar events): failed after 14 ms") continue;
    ++combined;
    EXPECT_EQ(NumberAt(*event, "count"), 6);
  }
  EXPECT_EQ(combined, 1);
  clock_.Advance(absl::Minutes(11));
  Say("Unhealthy", "failed after 99 ms");
  EXPECT_EQ(Events().size(), 11);
}

TEST_F(EventRecorderTest, OneSourceCannotFloodOneObject) {
  for (int i = 0; i < 40; ++i) Say(absl::StrCat("Reason", i), "m");
  EXPECT_EQ(Events().size(), 25);
  Say("Reason", "m", "other");
  EXPECT_EQ(Events().size(), 26);
  clock_.Advance(absl::Minutes(5));
  Say("Later", "m");
  Say("TooMuch", "m");
  EXPECT_EQ(Events().size(), 27);
}

TEST_F(EventRecorderTest, KeptForAnHourThenBegunAnew) {
  Say("BackOff", "Back-off restarting failed container");
  Say("BackOff", "Back-off restarting failed container");
  clock_.Advance(absl::Minutes(59));
  Say("BackOff", "Back-off restarting failed container");
  events_->RemoveOld();
  ASSERT_EQ(Events().size(), 1);
  EXPECT_EQ(NumberAt(*Events()[0], "count"), 3);
  clock_.Advance(absl::Minutes(61));
  events_->RemoveOld();
  EXPECT_TRUE(Events().empty());
  Say("BackOff", "Back-off restarting failed container");
  ASSERT_EQ(Events().size(), 1);
  EXPECT_EQ(NumberAt(*Events()[0], "count"), 1);
}

TEST_F(EventRecorderTest, WhatWasRecordedIsWrittenBeforeTheEnd) {
  for (int i = 0; i < 8; ++i) {
    events_->Record({{"kind", "Node"}, {"metadata", {{"name", "node-1"}}}}, EventType::kNormal,
                    absl::StrCat("R", i), "m", "", "kubelet");
  }
  events_.reset();
  ASSERT_EQ(Events().size(), 8);
  EXPECT_EQ(TextAt(*Events()[0], "metadata.namespace"), "default");
}

}  // namespace
}  // namespace crisp::agent
