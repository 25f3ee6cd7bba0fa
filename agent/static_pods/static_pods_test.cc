#include "agent/static_pods/static_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "agent/probes/test_server.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kPod[] = R"(apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: prod
  labels: {app: shop}
spec:
  containers:
  - name: c
    image: busybox
)";

class Recorder : public EventRecorder {
 public:
  void Record(const Json& object, EventType, const std::string& reason, const std::string& message,
              const std::string&, const std::string&) override {
    absl::MutexLock lock(&mu_);
    events_.push_back(absl::StrCat(TextAt(object, "kind"), " ", reason, ": ", message));
  }
  std::vector<std::string> events() const {
    absl::MutexLock lock(&mu_);
    return events_;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

class StaticPodsTest : public ::testing::Test {
 protected:
  StaticPodsTest() {
    char pattern[] = "/tmp/crisp-static.XXXXXX";
    root_ = ::mkdtemp(pattern);
    auto store = ObjectStore::Open(root_ + "/agent.db", Clock::Real());
    EXPECT_OK(store);
    store_ = *std::move(store);
    options_.node_name = "node-a";
    options_.directory = root_ + "/manifests";
    options_.directory_period = absl::Seconds(60);
    options_.url_period = absl::Milliseconds(50);
    options_.retry = absl::Milliseconds(100);
  }
  ~StaticPodsTest() override {
    pods_.reset();
    store_.reset();
    EXPECT_OK(RemoveTree(root_));
  }
  void Start() {
    pods_ = std::make_unique<StaticPods>(store_.get(), &events_, Clock::Real(), options_);
    ASSERT_OK(pods_->Start());
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_OK(WriteFileAtomic(options_.directory + "/" + name, text, 0644));
  }
  static bool Eventually(const std::function<bool()>& is_so) {
    for (int i = 0; i < 1000; ++i) {
      if (is_so()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }
  ObjectPtr Get(const std::string& name = "web-node-a") const {
    auto pod = store_->Get({"Pod", "prod", name});
    return pod.ok() ? *pod : nullptr;
  }

  std::string root_;
  std::unique_ptr<ObjectStore> store_;
  Recorder events_;
  StaticPodsOptions options_;
  std::unique_ptr<StaticPods> pods_;
};

TEST_F(StaticPodsTest, AFileIsAPodOfThisNode) {
  Start();
  Write("web.yaml", kPod);
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  const Json pod = *Get();
  EXPECT_EQ(TextAt(pod, "spec.nodeName"), "node-a");
  EXPECT_EQ(TextAt(pod, "metadata.labels.app"), "shop");
  EXPECT_EQ(pod["metadata"]["annotations"]["kubernetes.io/config.source"], "file");
  EXPECT_EQ(pod["metadata"]["annotations"]["kubernetes.io/config.hash"],
            pod["metadata"]["annotations"]["kubernetes.io/config.mirror"]);
  Write("two.json", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"two",
      "namespace":"prod"},"spec":{"containers":[{"name":"c","image":"busybox"}]}})");
  EXPECT_TRUE(Eventually([&] { return Get("two-node-a") != nullptr; }));
  Write(".hidden.yaml", absl::StrReplaceAll(kPod, {{"name: web", "name: hidden"}}));
  Write("backup.yaml~", absl::StrReplaceAll(kPod, {{"name: web", "name: backup"}}));
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(store_->List("Pod").size(), 2u);
}

TEST_F(StaticPodsTest, AChangedFileReplacesItsPod) {
  Start();
  Write("web.yaml", kPod);
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  const std::string uid = UidOf(*Get());
  Write("web.yaml", absl::StrReplaceAll(kPod, {{"busybox", "busybox:2"}}));
  ASSERT_TRUE(Eventually([&] { return IsBeingDeleted(*Get()); }));
  // The successor comes when the first is gone, and not sooner.
  absl::SleepFor(absl::Milliseconds(250));
  EXPECT_EQ(UidOf(*Get()), uid);
  ASSERT_OK(store_->Remove({"Pod", "prod", "web-node-a"}, uid));
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  EXPECT_NE(UidOf(*Get()), uid);
  EXPECT_EQ((*Get())["spec"]["containers"][0]["image"], "busybox:2");
}

TEST_F(StaticPodsTest, ARemovedFileTakesItsPodAway) {
  Start();
  Write("web.yaml", kPod);
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  ASSERT_EQ(::unlink((options_.directory + "/web.yaml").c_str()), 0);
  EXPECT_TRUE(Eventually([&] { return IsBeingDeleted(*Get()); }));
}

TEST_F(StaticPodsTest, AHalfWrittenFileChangesNothing) {
  Start();
  Write("web.yaml", kPod);
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  const std::string uid = UidOf(*Get());
  Write("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: we");
  ASSERT_TRUE(Eventually([&] { return !events_.events().empty(); }));
  EXPECT_THAT(events_.events(), Contains(HasSubstr("Node FailedValidation: ")));
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_FALSE(IsBeingDeleted(*Get()));
  EXPECT_EQ(events_.events().size(), 1u) << "told once";
  Write("web.yaml", kPod);
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(UidOf(*Get()), uid);
  EXPECT_FALSE(IsBeingDeleted(*Get()));
}

TEST_F(StaticPodsTest, OverARestartNothingChangesUnlessTheFilesDo) {
  Start();
  Write("web.yaml", kPod);
  Write("two.yaml", absl::StrReplaceAll(kPod, {{"name: web", "name: two"}}));
  ASSERT_TRUE(Eventually([&] { return store_->List("Pod").size() == 2; }));
  const std::string uid = UidOf(*Get());
  pods_.reset();
  ASSERT_EQ(::unlink((options_.directory + "/two.yaml").c_str()), 0);
  Start();
  ASSERT_TRUE(Eventually([&] { return IsBeingDeleted(*Get("two-node-a")); }));
  EXPECT_EQ(UidOf(*Get()), uid);
  EXPECT_FALSE(IsBeingDeleted(*Get()));
  // A file that is half written when the agent comes up takes nothing away.
  pods_.reset();
  Write("web.yaml", "kind: [");
  Start();
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_FALSE(IsBeingDeleted(*Get()));
}

TEST_F(StaticPodsTest, ReferencesToOtherObjectsAreRefused) {
  const struct {
    const char* spec;
    const char* why;
  } cases[] = {
      {"  serviceAccountName: robot\n", "may not reference serviceaccounts"},
      {"  volumes: [{name: v, configMap: {name: m}}]\n", "may not reference configmaps"},
      {"  volumes: [{name: v, projected: {sources: [{secret: {name: s}}]}}]\n",
       "may not reference secrets"},
      {"    envFrom: [{configMapRef: {name: m}}]\n", "may not reference configmaps"},
      {"    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n",
       "may not reference secrets"},
  };
  for (const auto& test : cases) {
    const auto pods = ReadStaticPods("x.yaml", absl::StrCat(kPod, test.spec), "file", "node-a");
    ASSERT_OK(pods);
    EXPECT_THAT((*pods)[0].refused,
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.why)));
    EXPECT_EQ(TextAt((*pods)[0].object, "metadata.name"), "web-node-a");
  }
  Start();
  Write("web.yaml", absl::StrCat(kPod, cases[0].spec));
  ASSERT_TRUE(Eventually([&] { return !events_.events().empty(); }));
  EXPECT_THAT(events_.events(), Contains(HasSubstr("Pod FailedValidation: Error validating pod "
                                                   "web-node-a_prod from file, ignoring: ")));
  EXPECT_EQ(Get(), nullptr);
}

TEST_F(StaticPodsTest, AUrlIsPolled) {
  absl::Mutex mu;
  std::string body = kPod;
  int status = 200;
  TestServer server([&](const std::string&) {
    absl::MutexLock lock(&mu);
    return TestServer::Page(status, body);
  });
  options_.url = server.url("/pods");
  Start();
  ASSERT_TRUE(Eventually([&] { return Get() != nullptr; }));
  EXPECT_EQ((*Get())["metadata"]["annotations"]["kubernetes.io/config.source"], "http");
  // A server in trouble takes nothing away.
  {
    absl::MutexLock lock(&mu);
    status = 503;
  }
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_FALSE(IsBeingDeleted(*Get()));
  {
    absl::MutexLock lock(&mu);
    status = 200;
    body = absl::StrReplaceAll(kPod, {{"name: web", "name: other"}});
  }
  EXPECT_TRUE(Eventually([&] { return Get("other-node-a") != nullptr; }));
  EXPECT_TRUE(Eventually([&] { return IsBeingDeleted(*Get()); }));
}

}  // namespace
}  // namespace crisp::agent
