#include "cri/containers/container.h"

#include <thread>

#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "cri/containers/container_store.h"
#include "cri/containers/one_pod_test_env.h"
#include "cri/records/record_file.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

class ContainerTest : public OnePodTestEnv {
 protected:
  std::shared_ptr<Container> Make(const std::string& id, const std::string& name) {
    state::v1::ContainerRecord record;
    record.set_id(id);
    record.mutable_config()->mutable_metadata()->set_name(name);
    return std::make_shared<Container>(pod_, "boot", record);
  }
};

TEST_F(ContainerTest, TheStateFollowsFromTheFacts) {
  state::v1::ContainerRecord facts;
  EXPECT_EQ(ContainerStateOf(facts), runtime::v1::CONTAINER_CREATED);
  facts.set_started_at(1);
  EXPECT_EQ(ContainerStateOf(facts), runtime::v1::CONTAINER_RUNNING);
  facts.set_finished_at(2);
  EXPECT_EQ(ContainerStateOf(facts), runtime::v1::CONTAINER_EXITED);
  facts.clear_started_at();  // A start that failed.
  EXPECT_EQ(ContainerStateOf(facts), runtime::v1::CONTAINER_EXITED);
}

TEST_F(ContainerTest, TheFirstCauseOfAnEndWins) {
  const auto container = Make("c", "main");
  container->RecordExit(137, 10, /*oom_killed=*/true);
  container->RecordExit(0, 20, false);
  const state::v1::ContainerRecord facts = container->facts().Get();
  EXPECT_EQ(facts.exit_code(), 137);
  EXPECT_EQ(facts.finished_at(), 10);
  EXPECT_EQ(facts.reason(), "OOMKilled");
}

TEST_F(ContainerTest, NothingEndsBeforeItsStart) {
  const auto container = Make("c", "main");
  ASSERT_OK(container->facts().Update([](auto& facts) { facts.set_started_at(11); }));
  container->RecordExit(0, 10, false);
  EXPECT_EQ(container->facts().Get().started_at(), 10);
}

TEST_F(ContainerTest, ReasonsAreKubernetesOwn) {
  const auto zero = Make("zero", "zero");
  zero->RecordExit(0, 1, false);
  EXPECT_EQ(zero->facts().Get().reason(), "Completed");
  const auto one = Make("one", "one");
  one->RecordExit(1, 1, false);
  EXPECT_EQ(one->facts().Get().reason(), "Error");
  const auto lost = Make("lost", "lost");
  lost->RecordExit(255, 1, false, "Unknown");
  EXPECT_EQ(lost->facts().Get().reason(), "Unknown");
}

TEST_F(ContainerTest, AnEndWhoseWordsAreNoTextCanBeReadBack) {
  const auto container = Make("c", "main");
  container->RecordExit(128, 10, false, "StartError", "exec /bin/\xff: no such file");
  EXPECT_EQ(container->facts().Get().message(), "exec /bin/\xEF\xBF\xBD: no such file");
  state::v1::ContainerRecord record;
  std::string boot_id;
  EXPECT_OK(ReadRecord(directory_ + "/containers/c", &record, &boot_id));
}

TEST_F(ContainerTest, AnEndThatCannotBeWrittenIsStillKnown) {
  const auto container = Make("c", "main");
  ASSERT_OK(RemoveTree(directory_));
  container->RecordExit(3, 10, false);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_EXITED);
  EXPECT_EQ(container->facts().Get().exit_code(), 3);
}

TEST_F(ContainerTest, AwaitExitReturnsWhenTheEndIsRecorded) {
  const auto container = Make("c", "main");
  EXPECT_FALSE(container->AwaitExit(absl::Milliseconds(1)));
  std::thread exit([&] { container->RecordExit(0, 1, false); });
  EXPECT_TRUE(container->AwaitExit(absl::Seconds(10)));
  exit.join();
}

TEST_F(ContainerTest, TheStopSignalIsSentOnce) {
  const auto container = Make("c", "main");
  EXPECT_TRUE(container->FirstStop());
  EXPECT_FALSE(container->FirstStop());
}

TEST_F(ContainerTest, TheStoreKeepsIdsAndNamesApart) {
  ContainerStore store;
  ASSERT_OK(store.Add(Make("abc1", "main")));
  ASSERT_OK(store.Add(Make("abd2", "side")));
  EXPECT_THAT(store.Add(Make("xyz", "main")),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("abc1")));
  EXPECT_OK(store.Find("abc"));
  EXPECT_THAT(store.Find("ab"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(store.Find("q"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(store.Find(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(store.OfPod("pod").size(), 2u);
  store.Remove("abc1");
  EXPECT_OK(store.Add(Make("abc3", "main")));
}

TEST_F(ContainerTest, AClosedPodTakesNoMoreContainers) {
  ContainerStore store;
  store.Close("pod");
  EXPECT_THAT(store.Add(Make("a", "main")), StatusIs(absl::StatusCode::kFailedPrecondition));
  store.Forget("pod");
  EXPECT_OK(store.Add(Make("a", "main")));
}

TEST_F(ContainerTest, WordOfTheEndWaitsForWordOfTheStart) {
  const auto container = Make("a", "a");
  EXPECT_FALSE(container->DeferStop());
  container->BeginStart();
  EXPECT_TRUE(container->DeferStop());
  EXPECT_TRUE(container->EndStart());
  EXPECT_FALSE(container->EndStart());
  EXPECT_FALSE(container->DeferStop());
}

}  // namespace
}  // namespace crisp::cri
