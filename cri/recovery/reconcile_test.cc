#include "cri/recovery/reconcile.h"

#include "base/file.h"
#include "cri/containers/exit_monitor.h"
#include "cri/pods/pod_test_env.h"
#include "cri/pods/run_pod.h"
#include "cri/pods/stop_pod.h"
#include "cri/recovery/load_records.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What a crispd would find that starts over the leftovers of another.
class ReconcileTest : public PodTestEnv {
 protected:
  void SetUp() override {
    PodTestEnv::SetUp();
    node_.node = &context_;
    node_.containers = &containers_;
    node_.tidy = &tidy_;
    driver_->OnExit([this](const std::string& id, const TaskExit& exit) {
      ExitMonitor(&node_).OnExit(id, exit);
    });
    auto pod = RunPod(context_, PodConfig("web"), "");
    ASSERT_OK(pod);
    pod_ = *std::move(pod);
  }
  void TearDown() override {
    ASSERT_OK(StopPod(context_, *pod_));
    PodTestEnv::TearDown();
  }

  std::shared_ptr<Container> Make(const std::function<void(state::v1::ContainerRecord&)>& facts) {
    state::v1::ContainerRecord record;
    record.set_id("c");
    record.set_pod_id(pod_->id());
    record.mutable_config()->mutable_metadata()->set_name("main");
    record.set_created(true);
    auto container = std::make_shared<Container>(pod_, "boot-1", record);
    EXPECT_OK(containers_.Add(container));
    EXPECT_OK(container->facts().Update(facts));
    return container;
  }
  void MakeTask(bool started) {
    TaskSpec task;
    task.id = "c";
    ASSERT_OK(driver_->Create(task));
    if (started) {
      ASSERT_OK(driver_->Start("c"));
    }
  }

  ContainerStore containers_;
  ContainerContext node_;
  std::shared_ptr<Pod> pod_;
  Background tidy_{1};
};

TEST_F(ReconcileTest, ACreatedContainerStaysCreated) {
  const auto container = Make([](auto&) {});
  ReconcileContainer(node_, *container, /*earlier_boot=*/false);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_CREATED);
}

TEST_F(ReconcileTest, ATaskThatWasMadeAndNotStartedGoesBackToCreated) {
  const auto container = Make([](auto& facts) { facts.set_task_attempted(true); });
  MakeTask(/*started=*/false);
  ReconcileContainer(node_, *container, false);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_CREATED);
  EXPECT_FALSE(driver_->Has("c"));
  EXPECT_FALSE(container->facts().Get().task_attempted());
}

TEST_F(ReconcileTest, ATaskThatStartedBeforeItWasRecordedIsRunning) {
  const auto container = Make([](auto& facts) {
    facts.set_task_attempted(true);
    facts.set_start_attempted(true);
  });
  MakeTask(/*started=*/true);
  ReconcileContainer(node_, *container, false);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_RUNNING);
}

TEST_F(ReconcileTest, ATaskThatIsGoneIsLost) {
  const auto container = Make([](auto& facts) {
    facts.set_task_attempted(true);
    facts.set_start_attempted(true);
    facts.set_started_at(1);
  });
  ReconcileContainer(node_, *container, false);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_EXITED);
  EXPECT_EQ(container->facts().Get().exit_code(), kLostExitCode);
  EXPECT_EQ(container->facts().Get().reason(), "Unknown");
}

TEST_F(ReconcileTest, AfterARebootNobodyIsAsked) {
  const auto container = Make([](auto& facts) {
    facts.set_task_attempted(true);
    facts.set_start_attempted(true);
    facts.set_started_at(1);
  });
  const size_t calls = driver_->calls().size();
  ReconcileContainer(node_, *container, /*earlier_boot=*/true);
  ReconcilePod(node_, *pod_, /*earlier_boot=*/true);
  EXPECT_EQ(driver_->calls().size(), calls);
  EXPECT_EQ(container->state(), runtime::v1::CONTAINER_EXITED);
  EXPECT_FALSE(pod_->ready());
}

TEST_F(ReconcileTest, APodWhosePauseIsGoneIsNotReady) {
  driver_->Lose(pod_->id());
  ReconcilePod(node_, *pod_, false);
  EXPECT_FALSE(pod_->ready());
}

TEST_F(ReconcileTest, RecordsComeBackAndDamagedOnesAreNamed) {
  (void)Make([](auto& facts) { facts.set_task_attempted(true); });
  ASSERT_OK(WriteFileAtomic(pod_->ContainersDirectory() + "/damaged", "not a record", 0600));
  ASSERT_OK(MakeDirs(context_.pods_dir + "/no-record", 0700));
  PodStore pods;
  ContainerStore containers;
  PodContext context = context_;
  context.pods = &pods;
  ContainerContext node;
  node.node = &context;
  node.containers = &containers;
  ASSERT_OK_AND_ASSIGN(const LoadedRecords loaded, LoadRecords(node));
  EXPECT_EQ(loaded.pods, 1);
  EXPECT_EQ(loaded.containers, 1);
  EXPECT_THAT(loaded.damaged_containers, ElementsAre("damaged"));
  EXPECT_THAT(loaded.damaged_pods, ElementsAre("no-record"));
  EXPECT_THAT(loaded.from_earlier_boot, IsEmpty());
  EXPECT_EQ(pods.All()[0]->config().SerializeAsString(), PodConfig("web").SerializeAsString());
}

TEST_F(ReconcileTest, RecordsOfAnEarlierBootAreKnownAsSuch) {
  PodStore pods;
  ContainerStore containers;
  PodContext context = context_;
  context.pods = &pods;
  context.boot_id = "boot-2";
  ContainerContext node;
  node.node = &context;
  node.containers = &containers;
  ASSERT_OK_AND_ASSIGN(const LoadedRecords loaded, LoadRecords(node));
  EXPECT_THAT(loaded.from_earlier_boot, ElementsAre(pod_->id()));
}

}  // namespace
}  // namespace crisp::cri
