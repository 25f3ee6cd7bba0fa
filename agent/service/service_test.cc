#include <sys/stat.h>

#include <cstdlib>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "agent/cri_client.h"
#include "agent/node/runtime_monitor.h"
#include "agent/node/volume_pusher.h"
#include "agent/objects/test_store.h"
#include "agent/pods/pod_manager.h"
#include "agent/service/rpcs.h"
#include "agent/service/selection.h"
#include "agent/service/server.h"
#include "agent/service/stats_reader.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One pod's instances.
class FakePods : public PodManager {
 public:
  absl::Status Start() override { return absl::OkStatus(); }
  void Stop() override {}
  absl::StatusOr<PodInstances> Instances(const std::string& uid) const override {
    const auto found = pods.find(uid);
    if (found == pods.end()) return absl::NotFoundError("no such pod");
    return found->second;
  }

  std::map<std::string, PodInstances> pods;
};

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    context_.store = store_.get();
    context_.clock = &store_.clock;
    context_.pods = &pods_;
    context_.runtime = &runtime_;
    context_.volumes = &volumes_;
    context_.stats = &stats_;
    context_.node_name = "node-1";
  }

  void CreatePod(const std::string& name, const std::string& labels = "{}") {
    rpc::v1::CreateRequest request;
    request.set_object(
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","labels":)" +
        labels + R"(},"spec":{"initContainers":[{"name":"i","image":"b"}],)" +
        R"("containers":[{"name":"c","image":"b","tty":true},{"name":"d","image":"b"}]}})");
    rpc::v1::CreateResponse response;
    ASSERT_OK(rpc::Create(context_, request, &response));
  }
  std::vector<std::string> Names(const std::string& kind, const std::string& labels,
                                 const std::string& fields = "") {
    rpc::v1::ListRequest request;
    request.mutable_selection()->set_kind(kind);
    request.mutable_selection()->set_label_selector(labels);
    request.mutable_selection()->set_field_selector(fields);
    rpc::v1::ListResponse response;
    EXPECT_OK(rpc::List(context_, request, &response));
    std::vector<std::string> names;
    for (const std::string& text : response.objects()) {
      names.push_back(TextAt(Json::parse(text), "metadata.name"));
    }
    return names;
  }

  TestStore store_;
  CriClient nobody_{"unix:///nonexistent/crisp.sock"};
  FakePods pods_;
  RuntimeMonitor runtime_{&nobody_};
  VolumePusher volumes_{store_.get(), &nobody_};
  StatsReader stats_{&nobody_};
  ServiceContext context_;
};

TEST_F(ServiceTest, ListsByLabelsAndFields) {
  CreatePod("a", R"({"app":"web","tier":"x"})");
  CreatePod("b", R"({"app":"web"})");
  CreatePod("c", R"({"app":"db"})");
  EXPECT_THAT(Names("Pod", ""), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Names("Pod", "app=web"), ElementsAre("a", "b"));
  EXPECT_THAT(Names("Pod", "app in (web,db),!tier"), ElementsAre("b", "c"));
  EXPECT_THAT(Names("Pod", "app!=web"), ElementsAre("c"));
  EXPECT_THAT(Names("Pod", "", "metadata.name=b"), ElementsAre("b"));
  EXPECT_THAT(Names("Pod", "", "metadata.name!=b,status.phase==Pending"), ElementsAre("a", "c"));
  EXPECT_THAT(Names("Pod", "", "spec.terminationGracePeriodSeconds=30,spec.nodeName="),
              ElementsAre("a", "b", "c"));
  rpc::v1::ListRequest request;
  rpc::v1::ListResponse response;
  request.mutable_selection()->set_kind("Pond");
  EXPECT_THAT(rpc::List(context_, request, &response),
              StatusIs(absl::StatusCode::kInvalidArgument, "no matches for kind \"Pond\""));
  request.mutable_selection()->set_kind("Pod");
  request.mutable_selection()->set_field_selector("what");
  EXPECT_THAT(rpc::List(context_, request, &response),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("invalid selector")));
}

TEST_F(ServiceTest, APodIsResolvedToItsContainers) {
  CreatePod("web");
  rpc::v1::ResolvePodRequest request;
  request.set_name("web");
  rpc::v1::ResolvePodResponse response;
  ASSERT_OK(rpc::ResolvePod(context_, request, &response));
  EXPECT_EQ(response.container().name(), "c");
  EXPECT_TRUE(response.container().tty());
  EXPECT_EQ(response.container().id(), "");
  EXPECT_EQ(response.containers_size(), 3);
  EXPECT_TRUE(response.containers(0).init());

  PodInstances instances;
  instances.sandbox_id = "s1";
  ContainerInstance one;
  one.name = "d";
  one.id = "c1";
  one.running = true;
  one.restart_count = 2;
  instances.containers = {one};
  pods_.pods[response.pod_uid()] = instances;
  response.Clear();
  request.set_container("d");
  ASSERT_OK(rpc::ResolvePod(context_, request, &response));
  EXPECT_EQ(response.sandbox_id(), "s1");
  EXPECT_EQ(response.container().id(), "c1");
  EXPECT_EQ(response.container().restart_count(), 2);
  request.set_container("nope");
  EXPECT_THAT(
      rpc::ResolvePod(context_, request, &response),
      StatusIs(absl::StatusCode::kInvalidArgument, "container nope is not valid for pod web"));
}

TEST_F(ServiceTest, AWatchTellsOfWhatIsThereAndOfEveryChange) {
  CreatePod("a", R"({"app":"web"})");
  CreatePod("b");
  rpc::v1::WatchRequest request;
  request.mutable_selection()->set_kind("Pod");
  request.mutable_selection()->set_label_selector("app=web");
  absl::Mutex mu;
  std::vector<std::string> told;
  bool end = false;
  rpc::WatchClient client;
  client.send = [&](const rpc::v1::WatchResponse& response) {
    absl::MutexLock lock(&mu);
    std::string name;
    if (!response.object().empty()) {
      name = " " + TextAt(Json::parse(response.object()), "metadata.name");
    }
    told.push_back(rpc::v1::WatchResponse::Type_Name(response.type()) + name);
    return true;
  };
  client.gone = [&] {
    absl::MutexLock lock(&mu);
    return end;
  };
  absl::Status ended;
  std::thread watcher([&] { ended = rpc::Watch(context_, request, client); });
  const auto wait = [&](size_t count) {
    absl::MutexLock lock(&mu);
    const auto enough = [&] { return told.size() >= count; };
    mu.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
    return told;
  };
  EXPECT_THAT(wait(2), ElementsAre("ADDED a", "SYNCED"));
  const auto label = [&](const std::string& name, const std::string& value) {
    EXPECT_OK(store_->Update({"Pod", "default", name}, [&](Json& pod) {
      pod["metadata"]["labels"] = {{"app", value}};
      return absl::OkStatus();
    }));
  };
  label("b", "web");
  label("a", "other");
  label("a", "third");  // Nobody is told: it is not selected.
  EXPECT_OK(store_->Remove({"Pod", "default", "b"}));
  EXPECT_THAT(wait(5), ElementsAre("ADDED a", "SYNCED", "ADDED b", "DELETED a", "DELETED b"));
  {
    absl::MutexLock lock(&mu);
    end = true;
  }
  watcher.join();
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServiceTest, AnObjectThatNestsTooDeepIsRefused) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  rpc::v1::ApplyRequest request;
  request.set_object(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":)" + deep +
                     "}");
  rpc::v1::ApplyResponse response;
  EXPECT_THAT(rpc::Apply(context_, request, &response),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nests too deep")));
}

TEST_F(ServiceTest, TheSocketIsRootsAloneAndOneAgents) {
  char pattern[] = "/tmp/crisp-socket.XXXXXX";
  const std::string directory = ::mkdtemp(pattern);
  const std::string path = directory + "/run/agent.sock";
  const std::string listen = "unix://" + path;
  ASSERT_OK_AND_ASSIGN(auto server, AgentServer::Start(listen, &context_));
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((directory + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_THAT(AgentServer::Start(listen, &context_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another agent serves")));
  EXPECT_THAT(AgentServer::Start("tcp://1", &context_),
              StatusIs(absl::StatusCode::kInvalidArgument));
  server->Stop(absl::Seconds(1));
  server.reset();
  EXPECT_NE(::stat(path.c_str(), &info), 0);
  EXPECT_OK(RemoveTree(directory));
}

}  // namespace
}  // namespace crisp::agent
