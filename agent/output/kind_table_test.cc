#include "agent/output/kind_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/output/pod_status.h"
#include "base/status_matchers.h"

namespace crisp::cli {
namespace {

using ::testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::string Ago(absl::Duration age) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", kNow - age, absl::UTCTimeZone());
}

// A pod with these statuses of containers and init containers.
Json Pod(const std::vector<Json>& containers, const std::vector<Json>& inits = {},
         const char* phase = "Running") {
  Json pod = {{"kind", "Pod"},
              {"metadata", {{"name", "web"}, {"creationTimestamp", Ago(absl::Minutes(5))}}},
              {"spec", {{"containers", Json::array()}, {"initContainers", Json::array()}}},
              {"status", {{"phase", phase}}}};
  for (const Json& each : containers) pod["spec"]["containers"].push_back({{"name", each["name"]}});
  for (const Json& each : inits) {
    Json spec = {{"name", each["name"]}};
    if (each.contains("sidecar")) spec["restartPolicy"] = "Always";
    pod["spec"]["initContainers"].push_back(spec);
  }
  pod["status"]["containerStatuses"] = containers;
  pod["status"]["initContainerStatuses"] = inits;
  return pod;
}

using List = std::vector<Json>;

Json Running(const char* name = "c", int restarts = 0) {
  return {{"name", name},
          {"ready", true},
          {"restartCount", restarts},
          {"started", true},
          {"state", {{"running", Json::object()}}}};
}
Json Waiting(const char* reason, const char* name = "c") {
  return {{"name", name}, {"state", {{"waiting", {{"reason", reason}}}}}};
}
Json Ended(const char* reason, int code, int signal = 0) {
  Json terminated = {{"exitCode", code}};
  if (*reason != '\0') terminated["reason"] = reason;
  if (signal != 0) terminated["signal"] = signal;
  return {{"name", "c"}, {"state", {{"terminated", terminated}}}};
}

TEST(PodStatusTest, SaysWhatKubectlSays) {
  Json deleted = Pod(List{Running()});
  deleted["metadata"]["deletionTimestamp"] = Ago(absl::Seconds(1));
  Json evicted = Pod(List{}, List{}, "Failed");
  evicted["status"]["reason"] = "Evicted";
  Json sidecar = Running("s");
  sidecar["sidecar"] = true;
  const struct {
    Json pod;
    const char* status;
    int ready, total;
  } cases[] = {
      {Pod(List{Running(), Running("d")}), "Running", 2, 2},
      {Pod(List{Waiting("ContainerCreating")}, List{}, "Pending"), "ContainerCreating", 0, 1},
      {Pod(List{Waiting("CrashLoopBackOff"), Running("d")}), "CrashLoopBackOff", 1, 2},
      {Pod(List{Ended("Completed", 0)}, List{}, "Succeeded"), "Completed", 0, 1},
      {Pod(List{Ended("OOMKilled", 137)}, List{}, "Failed"), "OOMKilled", 0, 1},
      {Pod(List{Ended("", 3)}, List{}, "Failed"), "ExitCode:3", 0, 1},
      {Pod(List{Ended("", 137, 9)}, List{}, "Failed"), "Signal:9", 0, 1},
      {Pod(List{Waiting("PodInitializing")}, List{Running("i")}, "Pending"), "Init:0/1", 0, 1},
      {Pod(List{Waiting("PodInitializing")},
           List{Ended("Completed", 0), Waiting("PodInitializing", "j")}, "Pending"),
       "Init:1/2", 0, 1},
      {Pod(List{Waiting("PodInitializing")}, List{Ended("Error", 1)}, "Pending"), "Init:Error", 0,
       1},
      {Pod(List{Waiting("PodInitializing")}, List{Ended("", 4)}, "Pending"), "Init:ExitCode:4", 0,
       1},
      {Pod(List{Waiting("PodInitializing")}, List{Waiting("CrashLoopBackOff", "i")}, "Pending"),
       "Init:CrashLoopBackOff", 0, 1},
      {Pod(List{Waiting("PodInitializing")}, List{Ended("Completed", 0)}, "Pending"),
       "PodInitializing", 0, 1},
      {Pod(List{Running()}, List{sidecar}), "Running", 2, 2},
      {Pod(List{Ended("Completed", 0), Running("d")}), "NotReady", 1, 2},
      {deleted, "Terminating", 1, 1},
      {evicted, "Evicted", 0, 0},
      {Pod(List{}, List{}, "Pending"), "Pending", 0, 0},
  };
  for (const auto& test : cases) {
    const PodStatusSummary summary = SummarisePod(test.pod);
    EXPECT_EQ(summary.status, test.status) << test.pod.dump();
    EXPECT_EQ(summary.ready, test.ready) << test.status;
    EXPECT_EQ(summary.total, test.total) << test.status;
  }
}

TEST(PodStatusTest, RestartsWithTheLastOne) {
  Json container = Running("c", 2);
  container["lastState"]["terminated"]["finishedAt"] = Ago(absl::Minutes(5));
  EXPECT_EQ(RestartsText(SummarisePod(Pod(List{container})), kNow), "2 (5m ago)");
  EXPECT_EQ(RestartsText(SummarisePod(Pod(List{Running("c", 2)})), kNow), "2");
  // What the init containers did is past once they are done.
  Json init = Ended("Completed", 0);
  init["restartCount"] = 4;
  EXPECT_EQ(RestartsText(SummarisePod(Pod(List{Running("c", 1)}, List{init})), kNow), "1");
}

Row RowOf(const char* kind, const Json& object, TableOptions options = {}) {
  options.now = kNow;
  const KindInfo& info = *KindOfObject(kind);
  const Row row = TableRow(info, object, options);
  EXPECT_EQ(row.size(), TableHead(info, options).size()) << kind;
  return row;
}

TEST(KindTableTest, PodsWide) {
  Json pod = Pod(List{Running()});
  pod["status"]["podIP"] = "10.85.0.7";
  pod["spec"]["nodeName"] = "here";
  EXPECT_THAT(RowOf("Pod", pod), ElementsAre("web", "1/1", "Running", "0", "5m"));
  EXPECT_THAT(RowOf("Pod", pod, {.wide = true, .with_namespace = true, .show_labels = true}),
              ElementsAre("", "web", "1/1", "Running", "0", "5m", "10.85.0.7", "here", "<none>",
                          "<none>", "<none>"));
}

TEST(KindTableTest, Workloads) {
  const Json object = Json::parse(R"({"metadata": {"name": "shop", "labels": {"a": "b"}},
    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": {"spec":
      {"containers": [{"name": "web", "image": "nginx"}, {"name": "log", "image": "busy"}]}}},
    "status": {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}})");
  EXPECT_THAT(RowOf("Deployment", object), ElementsAre("shop", "2/3", "1", "2", "<unknown>"));
  EXPECT_THAT(RowOf("ReplicaSet", object, {.wide = true, .with_kind = true}),
              ElementsAre("replicaset.apps/shop", "3", "3", "2", "<unknown>", "web,log",
                          "nginx,busy", "app=shop"));
  const Json set = Json::parse(R"({"metadata": {"name": "ds"}, "status": {"numberReady": 1,
    "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1}})");
  EXPECT_THAT(RowOf("DaemonSet", set),
              ElementsAre("ds", "1", "1", "1", "1", "0", "<none>", "<unknown>"));
}

TEST(KindTableTest, Jobs) {
  Json job = {{"metadata", {{"name", "import"}}},
              {"spec", {{"completions", 2}}},
              {"status", {{"succeeded", 1}, {"startTime", Ago(absl::Seconds(90))}}}};
  EXPECT_THAT(RowOf("Job", job), ElementsAre("import", "Running", "1/2", "90s", "<unknown>"));
  job["status"]["succeeded"] = 2;
  job["status"]["completionTime"] = Ago(absl::Seconds(60));
  job["status"]["conditions"] = {{{"type", "Complete"}, {"status", "True"}}};
  EXPECT_THAT(RowOf("Job", job), ElementsAre("import", "Complete", "2/2", "30s", "<unknown>"));
}

TEST(KindTableTest, TheOthers) {
  EXPECT_THAT(RowOf("ConfigMap", Json::parse(R"({"metadata": {"name": "c"}, "data": {"a": "1"},
                                                 "binaryData": {"b": ""}})")),
              ElementsAre("c", "2", "<unknown>"));
  EXPECT_THAT(RowOf("Secret", Json::parse(R"({"metadata": {"name": "s"}, "data": {"a": "1"}})")),
              ElementsAre("s", "Opaque", "1", "<unknown>"));
  EXPECT_THAT(RowOf("Node", Json::parse(R"({"metadata": {"name": "n"}, "status": {"conditions":
                [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"}}})")),
              ElementsAre("n", "Ready", "<none>", "<unknown>", "v1"));
  const Json event = {{"type", "Warning"},
                      {"reason", "BackOff"},
                      {"message", "Back-off \"now\"\n"},
                      {"lastTimestamp", Ago(absl::Seconds(7))},
                      {"involvedObject", {{"kind", "Pod"}, {"name", "web"}}}};
  EXPECT_THAT(RowOf("Event", event),
              ElementsAre("7s", "Warning", "BackOff", "pod/web", "Back-off \"now\""));
  RowOf("Event", event, {.wide = true});
  const Json endpoints = Json::parse(R"({"metadata": {"name": "e"}, "subsets": [{"addresses":
      [{"ip": "10.0.0.1"}, {"ip": "fd00::2"}], "ports": [{"port": 80}, {"port": 443}]}]})");
  EXPECT_THAT(RowOf("Endpoints", endpoints),
              ElementsAre("e", "10.0.0.1:80,10.0.0.1:443,[fd00::2]:80 + 1 more...", "<unknown>"));
}

TEST(KindsTest, Words) {
  for (const char* word : {"po", "pod", "pods", "Pod", "PODS"}) {
    ASSERT_NE(FindKind(word), nullptr) << word;
    EXPECT_STREQ(FindKind(word)->kind, "Pod");
  }
  EXPECT_STREQ(FindKind("deployments.apps")->kind, "Deployment");
  EXPECT_STREQ(FindKind("deployments.v1.apps")->kind, "Deployment");
  EXPECT_EQ(FindKind("pods.apps"), nullptr);
  EXPECT_EQ(FindKind(""), nullptr);
  EXPECT_EQ(ParseKind("services").status().message(),
            "the server doesn't have a resource type \"services\"; \"crisp api-resources\" lists "
            "them");
}

TEST(FieldsTest, Selectors) {
  EXPECT_EQ(SelectorText(Json::parse(R"({"app": "web"})")), "app=web");
  EXPECT_EQ(SelectorText(Json::parse(R"({"matchLabels": {"app": "web"}, "matchExpressions": [
              {"key": "tier", "operator": "In", "values": ["a", "b"]},
              {"key": "old", "operator": "DoesNotExist"}]})")),
            "app=web,tier in (a,b),!old");
  EXPECT_EQ(SelectorText(Json()), "<none>");
}

}  // namespace
}  // namespace crisp::cli
