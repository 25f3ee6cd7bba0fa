#include <functional>

#include "absl/time/clock.h"
#include "agent/controllers/pod_facts.h"
#include "agent/cri_client.h"
#include "agent/events/store_event_recorder.h"
#include "agent/fake_node.h"
#include "agent/node/node_keeper.h"
#include "agent/node/runtime_monitor.h"
#include "agent/node/volume_pusher.h"
#include "agent/objects/changes.h"
#include "agent/objects/test_store.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::HasSubstr;

// What the runtime has of a ConfigMap, as "namespace/name" to its key k.
std::map<std::string, std::string> MapsOf(CriClient& client) {
  std::map<std::string, std::string> out;
  const auto all = client.Volumes(&crisp::volumes::v1::Volumes::Stub::ListConfigMaps,
                                  crisp::volumes::v1::ListConfigMapsRequest());
  EXPECT_OK(all);
  for (const auto& map : all->config_maps()) {
    const auto found = map.data().find("k");
    out[map.key().namespace_() + "/" + map.key().name()] =
        found == map.data().end() ? "" : found->second;
  }
  return out;
}

bool Eventually(const std::function<bool()>& check) {
  for (int i = 0; i < 500; ++i) {
    if (check()) return true;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return false;
}

Json ConfigMap(const std::string& name, const std::string& value) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}}},
          {"data", {{"k", value}}}};
}

class VolumePusherTest : public ::testing::Test {
 protected:
  RuntimeInfo Usable() {
    RuntimeInfo info;
    info.away = false;
    info.volumes = true;
    return info;
  }

  TestStore store_;
  FakeNode node_;
  CriClient client_{node_.address()};
};

TEST_F(VolumePusherTest, TheRuntimeHasWhatTheAgentHas) {
  ASSERT_OK(CreateObject(store_.get(), ConfigMap("before", "1"), false));
  VolumePusher pusher(store_.get(), &client_);
  pusher.Start();
  ASSERT_OK(CreateObject(store_.get(), ConfigMap("away", "1"), false));
  pusher.Push({"ConfigMap", "default", "away"});  // Nobody knows yet that the runtime is there.
  EXPECT_TRUE(MapsOf(client_).empty());
  pusher.OnRuntime(Usable());
  EXPECT_TRUE(Eventually([&] { return MapsOf(client_).size() == 2; }));

  ASSERT_OK(ApplyObject(store_.get(), ConfigMap("before", "2"), false));
  pusher.Push({"ConfigMap", "default", "before"});
  EXPECT_EQ(MapsOf(client_)["default/before"], "2");
  ASSERT_OK(DeleteObject(store_.get(), &store_.clock, {"ConfigMap", "default", "away"}, {}));
  EXPECT_TRUE(Eventually([&] { return MapsOf(client_).size() == 1; }));
}

TEST_F(VolumePusherTest, WhatWasDeletedMeanwhileGoesAndTheRestStays) {
  {
    VolumePusher pusher(store_.get(), &client_);
    pusher.Start();
    pusher.OnRuntime(Usable());
    ASSERT_OK(CreateObject(store_.get(), ConfigMap("ours", "1"), false));
    EXPECT_TRUE(Eventually([&] { return MapsOf(client_).size() == 1; }));
  }
  crisp::volumes::v1::ApplyConfigMapRequest request;
  request.mutable_config_map()->mutable_key()->set_namespace_("default");
  request.mutable_config_map()->mutable_key()->set_name("theirs");
  ASSERT_OK(client_.Volumes(&crisp::volumes::v1::Volumes::Stub::ApplyConfigMap, request));
  ASSERT_OK(store_->Remove({"ConfigMap", "default", "ours"}));
  VolumePusher pusher(store_.get(), &client_);
  pusher.Start();
  pusher.OnRuntime(Usable());
  EXPECT_TRUE(Eventually([&] { return MapsOf(client_).count("default/ours") == 0; }));
  EXPECT_EQ(MapsOf(client_).count("default/theirs"), 1);
}

TEST(RuntimeMonitorTest, KnowsWhoIsThere) {
  FakeNode node;
  CriClient client(node.address());
  RuntimeMonitor monitor(&client);
  int calls = 0;
  monitor.Start([&](const RuntimeInfo& info) {
    ++calls;
    EXPECT_FALSE(info.away);
  });
  EXPECT_GE(calls, 1);
  EXPECT_TRUE(monitor.info().volumes);
  EXPECT_FALSE(monitor.info().name.empty());
  monitor.Stop();

  CriClient nobody("unix:///nonexistent/crisp.sock");
  RuntimeMonitor lonely(&nobody);
  lonely.Start([](const RuntimeInfo&) {});
  EXPECT_TRUE(lonely.info().away);
  EXPECT_THAT(lonely.info().error, HasSubstr("/nonexistent/crisp.sock"));
}

TEST(NodeKeeperTest, TheNodeIsThisMachine) {
  TestStore store;
  auto events = StoreEventRecorder::Create(store.get(), &store.clock, "n1");
  NodeFacts facts;
  facts.name = "n1";
  facts.ip = "10.0.0.1";
  facts.memory_bytes = 1 << 30;
  NodeKeeper keeper(store.get(), events.get(), &store.clock, facts);
  ASSERT_OK(keeper.Register());
  ASSERT_OK(LabelObject(store.get(), {"Node", "", "n1"}, {{{"disk", "ssd"}}, {}, false}));
  RuntimeInfo runtime;
  runtime.away = false;
  runtime.name = "crisp";
  runtime.version = "1.2";
  ASSERT_OK(keeper.Update(runtime));
  ASSERT_OK(keeper.Register());
  ASSERT_OK(keeper.Update(runtime));
  ASSERT_OK_AND_ASSIGN(const ObjectPtr node, store->Get({"Node", "", "n1"}));
  EXPECT_EQ(LabelOf(*node, "disk"), "ssd");
  EXPECT_EQ(LabelOf(*node, "kubernetes.io/hostname"), "n1");
  EXPECT_EQ(LabelOf(*node, "kubernetes.io/os"), "linux");
  EXPECT_EQ(TextAt(*node, "status.nodeInfo.containerRuntimeVersion"), "crisp://1.2");
  EXPECT_EQ(TextAt(*node, "status.allocatable.memory"), "1048576Ki");
  EXPECT_EQ(TextAt(ConditionOf(*node, "Ready"), "status"), "True");

  // Nothing new is nothing to write, but for a heartbeat now and then.
  const int64_t version = store->resource_version();
  ASSERT_OK(keeper.Update(runtime));
  EXPECT_EQ(store->resource_version(), version);
  store.clock.Advance(absl::Minutes(6));
  ASSERT_OK(keeper.Update(runtime));
  EXPECT_EQ(store->resource_version(), version + 1);
  runtime = RuntimeInfo();
  runtime.error = "gone";
  ASSERT_OK(keeper.Update(runtime));
  ASSERT_OK_AND_ASSIGN(const ObjectPtr away, store->Get({"Node", "", "n1"}));
  EXPECT_EQ(TextAt(ConditionOf(*away, "Ready"), "status"), "False");
  EXPECT_THAT(TextAt(ConditionOf(*away, "Ready"), "message"), HasSubstr("gone"));
  EXPECT_EQ(TextAt(*away, "status.nodeInfo.containerRuntimeVersion"), "crisp://1.2");
}

TEST(NodeKeeperTest, ANewNameTakesThePodsOver) {
  TestStore store;
  auto events = StoreEventRecorder::Create(store.get(), &store.clock, "n1");
  NodeFacts facts;
  facts.name = "n1";
  ASSERT_OK(NodeKeeper(store.get(), events.get(), &store.clock, facts).Register());
  ASSERT_OK(store->Create({{"apiVersion", "v1"},
                           {"kind", "Pod"},
                           {"metadata", {{"name", "web"}, {"namespace", "default"}}},
                           {"spec", {{"nodeName", "n1"}}}}));
  EXPECT_EQ(StoredNodeName(*store.get()), "n1");
  facts.name = "n2";
  ASSERT_OK(NodeKeeper(store.get(), events.get(), &store.clock, facts).Register());
  EXPECT_EQ(StoredNodeName(*store.get()), "n2");
  ASSERT_OK_AND_ASSIGN(const ObjectPtr pod, store->Get({"Pod", "default", "web"}));
  EXPECT_EQ(TextAt(*pod, "spec.nodeName"), "n2");
}

}  // namespace
}  // namespace crisp::agent
