#include "agent/store/object_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json PodNamed(const std::string& name, const std::string& ns = "default") {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", name}, {"namespace", ns}}},
          {"spec", {{"nodeName", ""}}}};
}

class ObjectStoreTest : public ::testing::Test {
 protected:
  ObjectStoreTest() {
    char pattern[] = "/tmp/crisp-store.XXXXXX";
    directory_ = ::mkdtemp(pattern);
    Reopen();
  }
  ~ObjectStoreTest() override {
    store_.reset();
    EXPECT_OK(RemoveTree(directory_));
  }

  void Reopen() {
    store_.reset();
    auto opened = ObjectStore::Open(path(), &clock_);
    ASSERT_OK(opened);
    store_ = *std::move(opened);
  }
  std::string path() const { return directory_ + "/root/agent.db"; }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  std::string directory_;
  std::unique_ptr<ObjectStore> store_;
};

// What a listener heard, as words.
class Heard {
 public:
  ObjectStore::Listener Listener() {
    return [this](const ObjectChange& change) {
      static constexpr const char* kWords[] = {"added", "modified", "deleted"};
      absl::MutexLock lock(&mu_);
      words_.push_back(std::string(kWords[static_cast<int>(change.type)]) + " " +
                       KeyOf(*change.object).name);
    };
  }
  std::vector<std::string> Wait(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return words_.size() >= count; };
    mu_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
    return words_;
  }

 private:
  absl::Mutex mu_;
  std::vector<std::string> words_ ABSL_GUARDED_BY(mu_);
};

TEST_F(ObjectStoreTest, GivesWhatAServerGives) {
  Json object = PodNamed("web");
  object["metadata"]["uid"] = "mine";
  object["metadata"]["generation"] = 7;
  ASSERT_OK_AND_ASSIGN(const ObjectPtr made, store_->Create(object));
  EXPECT_EQ(TextAt(*made, "metadata.creationTimestamp"), "2027-01-15T08:00:00Z");
  EXPECT_EQ(NumberAt(*made, "metadata.generation"), 1);
  EXPECT_EQ(TextAt(*made, "metadata.resourceVersion"), "1");
  EXPECT_THAT(UidOf(*made), ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-"
                                                    "[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_THAT(store_->Create(object),
              StatusIs(absl::StatusCode::kAlreadyExists, "pods \"web\" already exists"));
  EXPECT_THAT(store_->Get({"Deployment", "default", "web"}),
              StatusIs(absl::StatusCode::kNotFound, "deployments.apps \"web\" not found"));
}

TEST_F(ObjectStoreTest, UpdatesCountVersionsAndGenerations) {
  ASSERT_OK_AND_ASSIGN(const ObjectPtr made, store_->Create(PodNamed("web")));
  const ObjectKey key = KeyOf(*made);
  ASSERT_OK_AND_ASSIGN(ObjectPtr now, store_->Update(key, [](Json& object) {
    object["status"]["phase"] = "Running";
    return absl::OkStatus();
  }));
  EXPECT_EQ(NumberAt(*now, "metadata.generation"), 1);
  EXPECT_EQ(TextAt(*now, "metadata.resourceVersion"), "2");
  ASSERT_OK_AND_ASSIGN(now, store_->Update(key, [](Json& object) {
    object["spec"]["nodeName"] = "n1";
    return absl::OkStatus();
  }));
  EXPECT_EQ(NumberAt(*now, "metadata.generation"), 2);
  ASSERT_OK_AND_ASSIGN(now, store_->Update(key, [](Json&) { return absl::OkStatus(); }));
  EXPECT_EQ(TextAt(*now, "metadata.resourceVersion"), "3");
  EXPECT_EQ(store_->resource_version(), 3);
  // What was read before is what it was.
  EXPECT_EQ(TextAt(*made, "spec.nodeName"), "");

  EXPECT_THAT(store_->Update(key,
                             [](Json& object) {
                               object["metadata"]["resourceVersion"] = "1";
                               return absl::OkStatus();
                             }),
              StatusIs(absl::StatusCode::kAborted,
                       HasSubstr("Operation cannot be fulfilled on pods \"web\": the object has "
                                 "been modified")));
  EXPECT_THAT(store_->Update(key, [](Json&) { return absl::FailedPreconditionError("no"); }),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no"));
  EXPECT_THAT(store_->Remove(key, "another"),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("UID in precondition: another")));
  EXPECT_OK(store_->Remove(key, UidOf(*made)));
  EXPECT_THAT(store_->Get(key), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ObjectStoreTest, ListsInOrderOfNamespaceAndName) {
  for (const auto& [name, ns] :
       std::vector<std::pair<std::string, std::string>>{{"b", "two"}, {"c", "one"}, {"a", "one"}}) {
    ASSERT_OK(store_->Create(PodNamed(name, ns)));
  }
  std::vector<std::string> names;
  for (const ObjectPtr& pod : store_->List("Pod")) names.push_back(KeyOf(*pod).name);
  EXPECT_THAT(names, ElementsAre("a", "c", "b"));
  EXPECT_EQ(store_->List("Pod", "two").size(), 1);
  EXPECT_EQ(store_->List("Po").size(), 0);
}

TEST_F(ObjectStoreTest, ObjectsAndVersionsComeBack) {
  ASSERT_OK_AND_ASSIGN(const ObjectPtr made, store_->Create(PodNamed("web")));
  ASSERT_OK(store_->Create(PodNamed("gone")));
  ASSERT_OK(store_->Remove({"Pod", "default", "gone"}));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const ObjectPtr back, store_->Get(KeyOf(*made)));
  EXPECT_EQ(*back, *made);
  EXPECT_EQ(store_->List("Pod").size(), 1);
  EXPECT_EQ(store_->resource_version(), 3);  // Never goes back, even over a removal.
}

TEST_F(ObjectStoreTest, AKilledWritersCommitsAreThere) {
  store_.reset();
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = ObjectStore::Open(path(), Clock::Real());
    if (!store.ok() || !(*store)->Create(PodNamed("web")).ok()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  ASSERT_TRUE(WIFSIGNALED(state));
  Reopen();
  EXPECT_OK(store_->Get({"Pod", "default", "web"}));
}

TEST_F(ObjectStoreTest, OneProcessAtATime) {
  EXPECT_THAT(ObjectStore::Open(path(), &clock_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("another crisp agent uses the same root")));
}

TEST_F(ObjectStoreTest, DamageIsToldPlainly) {
  ASSERT_OK(store_->Create(PodNamed("web")));
  store_.reset();
  std::ofstream(path(), std::ios::trunc) << std::string(8192, 'x');
  EXPECT_THAT(ObjectStore::Open(path(), &clock_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("agent.db is damaged")));
  EXPECT_OK(RemoveTree(path()));
  Reopen();
}

TEST_F(ObjectStoreTest, TextThatIsNoUtf8IsStored) {
  Json object = PodNamed("web");
  object["status"]["message"] = "\xff\xfe";
  ASSERT_OK(store_->Create(object));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const ObjectPtr back, store_->Get({"Pod", "default", "web"}));
  EXPECT_EQ(TextAt(*back, "status.message"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(ObjectStoreTest, SubscribersHearWhatIsThereAndEveryChange) {
  ASSERT_OK(store_->Create(PodNamed("web")));
  Heard heard;
  auto subscription = store_->Subscribe("Pod", heard.Listener());
  EXPECT_THAT(heard.Wait(1), ElementsAre("added web"));
  ASSERT_OK(store_->Create(PodNamed("db")));
  Json other = PodNamed("config");
  other["kind"] = "ConfigMap";
  ASSERT_OK(store_->Create(other));
  ASSERT_OK(store_->Update({"Pod", "default", "web"}, [](Json& object) {
    object["metadata"]["labels"]["a"] = "b";
    return absl::OkStatus();
  }));
  ASSERT_OK(store_->Remove({"Pod", "default", "db"}));
  EXPECT_THAT(heard.Wait(4), ElementsAre("added web", "added db", "modified web", "deleted db"));
  subscription.reset();
  ASSERT_OK(store_->Create(PodNamed("late")));
  EXPECT_EQ(heard.Wait(4).size(), 4);
}

TEST_F(ObjectStoreTest, ASubscriptionMayEndFromItsOwnCallAndWaitsForOthers) {
  std::unique_ptr<ObjectStore::Subscription> own;
  absl::Notification ended;
  own = store_->Subscribe("Pod", [&](const ObjectChange&) {
    own.reset();
    ended.Notify();
  });
  ASSERT_OK(store_->Create(PodNamed("a")));
  ended.WaitForNotification();

  absl::Notification entered;
  std::atomic<bool> returned = false;
  auto slow = store_->Subscribe("ConfigMap", [&](const ObjectChange&) {
    entered.Notify();
    absl::SleepFor(absl::Milliseconds(50));
    returned = true;
  });
  Json other = PodNamed("config");
  other["kind"] = "ConfigMap";
  ASSERT_OK(store_->Create(other));
  entered.WaitForNotification();
  slow.reset();
  EXPECT_TRUE(returned);
}

TEST_F(ObjectStoreTest, WritersOfManyThreadsLoseNothing) {
  Json object = PodNamed("web");
  object["status"]["count"] = 0;
  ASSERT_OK(store_->Create(object));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int k = 0; k < 50; ++k) {
        EXPECT_OK(store_->Update({"Pod", "default", "web"}, [](Json& pod) {
          pod["status"]["count"] = pod["status"]["count"].get<int>() + 1;
          return absl::OkStatus();
        }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const ObjectPtr now, store_->Get({"Pod", "default", "web"}));
  EXPECT_EQ(NumberAt(*now, "status.count"), 200);
}

}  // namespace
}  // namespace crisp::agent
