#include "agent/controllers/controllers.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "agent/controllers/pod_facts.h"
#include "agent/controllers/replica_set_controller.h"
#include "agent/events/store_event_recorder.h"
#include "agent/objects/changes.h"
#include "agent/objects/test_store.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kNode[] = "node-1";

// A node whose pods do what the test says: there is no runtime.
class ControllersTest : public ::testing::Test {
 protected:
  ControllersTest() {
    events_ = StoreEventRecorder::Create(store_.get(), &store_.clock, kNode);
    EXPECT_OK(store_->Create({{"apiVersion", "v1"},
                              {"kind", "Node"},
                              {"metadata", {{"name", kNode}, {"labels", {{"disk", "ssd"}}}}},
                              {"status", {{"allocatable", {{"cpu", "4"}, {"pods", "110"}}}}}}));
    Restart();
  }

  // A new set of controllers, as after a kill -9.
  void Restart() {
    controllers_.reset();
    controllers_ = std::make_unique<Controllers>(
        ControllerContext{store_.get(), events_.get(), &store_.clock, kNode, absl::Seconds(10)});
    controllers_->Subscribe();
    Run();
  }
  void Run() { controllers_->RunUntilIdle(); }

  Json Create(const std::string& yaml) {
    const auto made = CreateObject(store_.get(), FromYaml(yaml), false);
    EXPECT_OK(made);
    Run();
    return made.ok() ? *made->object : Json();
  }
  Json Apply(const std::string& yaml) {
    const auto made = ApplyObject(store_.get(), FromYaml(yaml), false);
    EXPECT_OK(made);
    Run();
    return made.ok() ? *made->object : Json();
  }
  void Delete(const ObjectKey& key) {
    EXPECT_OK(DeleteObject(store_.get(), &store_.clock, key, {}));
    Run();
  }
  Json Get(const std::string& kind, const std::string& name) {
    const auto found = store_->Get({kind, kind == "Node" ? "" : "default", name});
    EXPECT_OK(found);
    return found.ok() ? **found : Json();
  }

  std::vector<ObjectPtr> Pods(bool active = true) {
    std::vector<ObjectPtr> pods = store_->List("Pod");
    if (active) {
      pods.erase(std::remove_if(pods.begin(), pods.end(),
                                [](const ObjectPtr& pod) { return !IsPodActive(*pod); }),
                 pods.end());
    }
    return pods;
  }
  void SetPod(const Json& pod, const std::string& phase, bool ready) {
    EXPECT_OK(store_->Update(KeyOf(pod), [&](Json& object) {
      object["status"]["phase"] = phase;
      object["status"]["podIP"] = "10.0.0.7";
      SetCondition(&object, "Ready", ready ? "True" : "False", "", "", store_.clock.Now());
      return absl::OkStatus();
    }));
  }
  // Every pod that is placed runs and is ready; every pod that was told to end has ended.
  void Live() {
    for (int round = 0; round < 100; ++round) {
      bool changed = false;
      for (const ObjectPtr& pod : Pods(false)) {
        if (IsBeingDeleted(*pod)) {
          EXPECT_OK(store_->Remove(KeyOf(*pod)));
        } else if (!TextAt(*pod, "spec.nodeName").empty() && !IsPodReady(*pod) &&
                   !IsPodFinished(*pod)) {
          SetPod(*pod, "Running", true);
        } else {
          continue;
        }
        changed = true;
      }
      Run();
      if (!changed) return;
    }
    FAIL() << "no end of it";
  }

  std::vector<std::string> Events(const std::string& reason = "") {
    events_->Flush();
    std::vector<std::string> out;
    for (const ObjectPtr& event : store_->List("Event")) {
      if (!reason.empty() && TextAt(*event, "reason") != reason) continue;
      out.push_back(TextAt(*event, "message"));
    }
    return out;
  }

  TestStore store_;
  std::unique_ptr<StoreEventRecorder> events_;
  std::unique_ptr<Controllers> controllers_;
};

std::string Pod(const std::string& name, const std::string& spec = "",
                const std::string& container = "") {
  return absl::StrCat("{apiVersion: v1, kind: Pod, metadata: {name: ", name,
                      ", labels: {app: web}}, spec: {containers: [{name: c, image: 'b:1'",
                      container, "}]", spec, "}}");
}

std::string Deployment(int replicas, const std::string& image, const std::string& spec = "") {
  return absl::StrCat(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: )",
                      replicas, "\n", spec, R"(
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: ')",
                      image, R"(', ports: [{containerPort: 80, name: http}]}]
)");
}

std::string Job(const std::string& spec, const std::string& policy = "Never") {
  return absl::StrCat("{apiVersion: batch/v1, kind: Job, metadata: {name: sum}, spec: {", spec,
                      spec.empty() ? "" : ", ", "template: {spec: {restartPolicy: ", policy,
                      ", containers: [{name: c, image: 'b:1'}]}}}}");
}

std::string ReplicaSet(int replicas) {
  return absl::StrCat(
      "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: "
      "{replicas: ",
      replicas,
      ", selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: "
      "web}}, spec: {containers: [{name: c, image: 'b:1'}]}}}}");
}

TEST_F(ControllersTest, APodIsPlaced) {
  Create(Pod("web"));
  const Json pod = Get("Pod", "web");
  EXPECT_EQ(TextAt(pod, "spec.nodeName"), kNode);
  EXPECT_EQ(TextAt(ConditionOf(pod, "PodScheduled"), "status"), "True");
  EXPECT_THAT(Events("Scheduled"), ElementsAre("Successfully assigned default/web to node-1"));
}

TEST_F(ControllersTest, ANodeSelectorWaitsForTheLabel) {
  Create(Pod("web", ", nodeSelector: {key: aaa}"));
  Json pod = Get("Pod", "web");
  EXPECT_EQ(TextAt(pod, "spec.nodeName"), "");
  EXPECT_EQ(TextAt(ConditionOf(pod, "PodScheduled"), "reason"), "Unschedulable");
  EXPECT_THAT(Events("FailedScheduling"),
              ElementsAre("0/1 nodes are available: 1 node(s) didn't match Pod's node "
                          "affinity/selector."));
  ASSERT_OK(LabelObject(store_.get(), {"Node", "", kNode}, {{{"key", "aaa"}}, {}, false}));
  Run();
  pod = Get("Pod", "web");
  EXPECT_EQ(TextAt(pod, "spec.nodeName"), kNode);
  EXPECT_EQ(TextAt(ConditionOf(pod, "PodScheduled"), "reason"), "");
}

TEST_F(ControllersTest, ANodeAffinityIsOfThisNode) {
  ASSERT_OK(LabelObject(store_.get(), {"Node", "", kNode}, {{{"slots", "8"}}, {}, false}));
  const struct {
    const char* terms;
    bool fits;
  } cases[] = {
      {"{matchExpressions: [{key: disk, operator: In, values: [hdd, ssd]}]}", true},
      {"{matchExpressions: [{key: disk, operator: In, values: [hdd]}]}", false},
      {"{matchExpressions: [{key: disk, operator: NotIn, values: [hdd]}]}", true},
      {"{matchExpressions: [{key: disk, operator: NotIn, values: [ssd]}]}", false},
      {"{matchExpressions: [{key: gpu, operator: NotIn, values: [a]}]}", true},
      {"{matchExpressions: [{key: disk, operator: Exists}]}", true},
      {"{matchExpressions: [{key: gpu, operator: Exists}]}", false},
      {"{matchExpressions: [{key: gpu, operator: DoesNotExist}]}", true},
      {"{matchExpressions: [{key: disk, operator: DoesNotExist}]}", false},
      {"{matchExpressions: [{key: slots, operator: Gt, values: ['7']}]}", true},
      {"{matchExpressions: [{key: slots, operator: Gt, values: ['8']}]}", false},
      {"{matchExpressions: [{key: slots, operator: Lt, values: ['9']}]}", true},
      {"{matchExpressions: [{key: disk, operator: Lt, values: ['9']}]}", false},
      {"{matchExpressions: [{key: gpu, operator: Gt, values: ['1']}]}", false},
      {"{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}", true},
      {"{matchFields: [{key: metadata.name, operator: NotIn, values: [node-1]}]}", false},
      // All of a term, one of the terms; a term that asks for nothing is met by nobody.
      {"{matchExpressions: [{key: disk, operator: Exists}, {key: gpu, operator: Exists}]}", false},
      {"{matchExpressions: [{key: gpu, operator: Exists}]}, {matchExpressions: [{key: disk, "
       "operator: Exists}]}",
       true},
      {"{}", false},
  };
  int number = 0;
  for (const auto& test : cases) {
    const std::string name = absl::StrCat("p", ++number);
    Create(Pod(name, absl::StrCat(", affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDu"
                                  "ringExecution: {nodeSelectorTerms: [",
                                  test.terms, "]}}}")));
    EXPECT_EQ(TextAt(Get("Pod", name), "spec.nodeName"), test.fits ? kNode : "") << test.terms;
  }
  EXPECT_THAT(Events("FailedScheduling"),
              Contains("0/1 nodes are available: 1 node(s) didn't match Pod's node "
                       "affinity/selector."));
  // One that waits comes when the label does.
  ASSERT_OK(LabelObject(store_.get(), {"Node", "", kNode}, {{{"gpu", "a"}}, {}, false}));
  Run();
  EXPECT_EQ(TextAt(Get("Pod", "p7"), "spec.nodeName"), kNode);
}

// A pod with `labels` and a required term of `kind` (podAffinity, podAntiAffinity).
std::string Social(const std::string& name, const std::string& labels, const std::string& kind,
                   const std::string& term) {
  std::string affinity;
  if (!kind.empty()) {
    affinity = absl::StrCat(", affinity: {", kind,
                            ": {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "
                            "kubernetes.io/hostname, ",
                            term, "}]}}");
  }
  return absl::StrCat("{apiVersion: v1, kind: Pod, metadata: {name: ", name, ", labels: {", labels,
                      "}}, spec: {containers: [{name: c, image: b}]", affinity, "}}");
}

TEST_F(ControllersTest, PodsKeepApart) {
  const std::string apart = "labelSelector: {matchLabels: {app: db}}";
  Create(Social("a", "app: db", "podAntiAffinity", apart));
  Create(Social("b", "app: db", "podAntiAffinity", apart));
  Create(Social("c", "app: db", "", ""));   // It does not mind; a does.
  Create(Social("d", "app: web", "", ""));  // Of d nobody spoke.
  EXPECT_EQ(TextAt(Get("Pod", "a"), "spec.nodeName"), kNode);
  EXPECT_EQ(TextAt(Get("Pod", "d"), "spec.nodeName"), kNode);
  EXPECT_THAT(
      Events("FailedScheduling"),
      ::testing::UnorderedElementsAre(
          "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) "
          "didn't satisfy existing pods anti-affinity rules.",
          "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."));
  // In another namespace it is another app.
  std::string elsewhere = Social("e", "app: db", "podAntiAffinity", apart);
  elsewhere.replace(elsewhere.find("name: e"), 7, "name: e, namespace: team");
  const auto made = CreateObject(store_.get(), FromYaml(elsewhere), false);
  ASSERT_OK(made);
  Run();
  EXPECT_EQ(TextAt(**store_->Get({"Pod", "team", "e"}), "spec.nodeName"), kNode);
  Delete({"Pod", "default", "a"});
  Live();
  EXPECT_NE(TextAt(Get("Pod", "b"), "spec.nodeName"), TextAt(Get("Pod", "c"), "spec.nodeName"));
}

TEST_F(ControllersTest, PodsComeTogether) {
  Create(Social("near", "app: web", "podAffinity", "labelSelector: {matchLabels: {app: db}}"));
  EXPECT_THAT(Events("FailedScheduling"),
              ElementsAre("0/1 nodes are available: 1 node(s) didn't match pod affinity rules."));
  Create(Social("db", "app: cache", "", ""));
  EXPECT_EQ(TextAt(Get("Pod", "near"), "spec.nodeName"), "");
  // A label is as good as a new pod.
  ASSERT_OK(LabelObject(store_.get(), {"Pod", "default", "db"}, {{{"app", "db"}}, {}, true}));
  Run();
  EXPECT_EQ(TextAt(Get("Pod", "near"), "spec.nodeName"), kNode);
  // The first of those who want to be together has nobody to come to.
  Create(Social("one", "team: x", "podAffinity", "labelSelector: {matchLabels: {team: x}}"));
  EXPECT_EQ(TextAt(Get("Pod", "one"), "spec.nodeName"), kNode);
  // Without a selector no pod is meant; with an empty one every pod is.
  Create(Social("none", "team: y", "podAffinity", "namespaces: [default]"));
  EXPECT_EQ(TextAt(Get("Pod", "none"), "spec.nodeName"), "");
  Create(Social("any", "team: y", "podAffinity", "labelSelector: {}, namespaceSelector: {}"));
  EXPECT_EQ(TextAt(Get("Pod", "any"), "spec.nodeName"), kNode);
  Create(Social("far", "team: y", "podAffinity", "labelSelector: {}, namespaces: [team]"));
  EXPECT_EQ(TextAt(Get("Pod", "far"), "spec.nodeName"), "");
}

TEST_F(ControllersTest, WhatIsTakenIsWaitedFor) {
  Create(Pod("a", "", ", ports: [{containerPort: 80, hostPort: 8080}]"));
  Create(Pod("b", "", ", ports: [{containerPort: 81, hostPort: 8080}]"));
  Create(Pod("c", "", ", resources: {requests: {cpu: 5}}"));
  EXPECT_EQ(TextAt(Get("Pod", "b"), "spec.nodeName"), "");
  EXPECT_THAT(Events("FailedScheduling"),
              ::testing::UnorderedElementsAre(
                  HasSubstr("1 node(s) didn't have free ports for the requested pod ports"),
                  HasSubstr("1 Insufficient cpu")));
  Delete({"Pod", "default", "a"});
  Live();
  EXPECT_EQ(TextAt(Get("Pod", "b"), "spec.nodeName"), kNode);
}

TEST_F(ControllersTest, AReplicaSetKeepsItsNumber) {
  Create(ReplicaSet(3));
  Live();
  ASSERT_THAT(Pods(), SizeIs(3));
  EXPECT_EQ(NumberAt(Get("ReplicaSet", "web"), "status.readyReplicas"), 3);
  EXPECT_THAT(Events("SuccessfulCreate"), SizeIs(3));
  // One is deleted, and another made for it.
  Delete(KeyOf(*Pods()[0]));
  Live();
  EXPECT_THAT(Pods(), SizeIs(3));
  // Surplus: the one that is not ready goes first.
  const std::string broken = KeyOf(*Pods()[1]).name;
  SetPod(*Pods()[1], "Running", false);
  ASSERT_OK(ScaleObject(store_.get(), {"ReplicaSet", "default", "web"}, 2, std::nullopt));
  Run();
  EXPECT_THAT(Pods(), SizeIs(2));
  EXPECT_THAT(Events("SuccessfulDelete"), ElementsAre("Deleted pod: " + broken));
}

TEST_F(ControllersTest, SurplusGoesInOrder) {
  const auto pod = [](const std::string& phase, const std::string& ready, int restarts,
                      const std::string& made) {
    Json out = {{"metadata", {{"name", "p"}, {"creationTimestamp", made}}},
                {"spec", {{"nodeName", phase == "unplaced" ? "" : kNode}}},
                {"status",
                 {{"phase", phase == "unplaced" ? "Pending" : phase},
                  {"containerStatuses", Json::array({{{"restartCount", restarts}}})}}}};
    if (!ready.empty()) {
      out["status"]["conditions"] =
          Json::array({{{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", ready}}});
    }
    return out;
  };
  const std::string old = "2026-01-01T00:00:00Z", recent = "2026-01-02T00:00:00Z";
  const Json order[] = {pod("unplaced", "", 0, old),    pod("Pending", "", 0, old),
                        pod("Unknown", "", 0, old),     pod("Running", "", 0, old),
                        pod("Running", recent, 0, old), pod("Running", old, 3, old),
                        pod("Running", old, 0, recent), pod("Running", old, 0, old)};
  for (size_t i = 0; i < std::size(order); ++i) {
    for (size_t k = 0; k < std::size(order); ++k) {
      EXPECT_EQ(GoesFirst(order[i], order[k]), i < k) << i << " " << k;
    }
  }
}

TEST_F(ControllersTest, PodsAreAdoptedAndLetGo) {
  Create(Pod("mine"));
  const Json set = Create(ReplicaSet(1));
  ASSERT_THAT(Pods(), SizeIs(1));
  EXPECT_TRUE(IsControlledBy(*Pods()[0], set));
  ASSERT_OK(LabelObject(store_.get(), {"Pod", "default", "mine"}, {{{"app", "x"}}, {}, true}));
  Run();
  EXPECT_FALSE(ControllerOf(Get("Pod", "mine")).has_value());
  EXPECT_THAT(Pods(), SizeIs(2));
}

TEST_F(ControllersTest, AReplicationControllerToo) {
  Create(
      "{apiVersion: v1, kind: ReplicationController, metadata: {name: web}, spec: {replicas: 2, "
      "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: "
      "'b:1'}]}}}}");
  Live();
  EXPECT_THAT(Pods(), SizeIs(2));
  EXPECT_EQ(NumberAt(Get("ReplicationController", "web"), "status.readyReplicas"), 2);
  events_->Flush();
  for (const ObjectPtr& event : store_->List("Event")) {
    if (TextAt(*event, "reason") != "SuccessfulCreate") continue;
    EXPECT_EQ(TextAt(*event, "source.component"), "replication-controller");
  }
  EXPECT_THAT(Events("SuccessfulCreate"), SizeIs(2));
}

TEST_F(ControllersTest, ADeploymentIsRolledOutAndScaled) {
  Apply(Deployment(3, "b:1"));
  Live();
  Json deployment = Get("Deployment", "web");
  EXPECT_EQ(NumberAt(deployment, "status.availableReplicas"), 3);
  EXPECT_EQ(TextAt(ConditionOf(deployment, "Available"), "reason"), "MinimumReplicasAvailable");
  EXPECT_EQ(TextAt(ConditionOf(deployment, "Progressing"), "reason"), "NewReplicaSetAvailable");
  ASSERT_THAT(store_->List("ReplicaSet"), SizeIs(1));
  const std::string first = KeyOf(*store_->List("ReplicaSet")[0]).name;
  EXPECT_THAT(Events("ScalingReplicaSet"),
              ElementsAre("Scaled up replica set " + first + " from 0 to 3"));
  EXPECT_EQ(AnnotationOf(deployment, "deployment.kubernetes.io/revision"), "1");

  Apply(Deployment(3, "b:2"));
  // 25 % of three: one more, none less.
  EXPECT_THAT(Pods(), SizeIs(4));
  deployment = Get("Deployment", "web");
  EXPECT_EQ(TextAt(ConditionOf(deployment, "Progressing"), "reason"), "ReplicaSetUpdated");
  int least = 3, most = 0;
  for (int step = 0; step < 20; ++step) {
    // One pod at a time comes to life or ends.
    int ready = 0, all = 0;
    for (const ObjectPtr& pod : Pods()) {
      ++all;
      ready += IsPodReady(*pod) ? 1 : 0;
    }
    least = std::min(least, ready);
    most = std::max(most, all);
    for (const ObjectPtr& pod : Pods(false)) {
      if (IsBeingDeleted(*pod)) {
        ASSERT_OK(store_->Remove(KeyOf(*pod)));
        break;
      }
      if (!IsPodReady(*pod)) {
        SetPod(*pod, "Running", true);
        break;
      }
    }
    Run();
  }
  EXPECT_EQ(least, 3);
  EXPECT_EQ(most, 4);
  ASSERT_THAT(Pods(), SizeIs(3));
  for (const ObjectPtr& pod : Pods()) EXPECT_EQ((*pod)["spec"]["containers"][0]["image"], "b:2");
  deployment = Get("Deployment", "web");
  EXPECT_EQ(NumberAt(deployment, "status.updatedReplicas"), 3);
  EXPECT_EQ(TextAt(ConditionOf(deployment, "Progressing"), "reason"), "NewReplicaSetAvailable");
  EXPECT_EQ(AnnotationOf(deployment, "deployment.kubernetes.io/revision"), "2");

  // Back to the first template: its set serves again.
  Apply(Deployment(3, "b:1"));
  Live();
  EXPECT_THAT(store_->List("ReplicaSet"), SizeIs(2));
  EXPECT_EQ(NumberAt(Get("ReplicaSet", first), "spec.replicas"), 3);
  EXPECT_EQ(AnnotationOf(Get("ReplicaSet", first), "deployment.kubernetes.io/revision"), "3");
  ASSERT_OK(ScaleObject(store_.get(), {"Deployment", "default", "web"}, 5, 3));
  Run();
  Live();
  EXPECT_THAT(Pods(), SizeIs(5));
}

TEST_F(ControllersTest, ADeploymentKeepsSoManyRevisions) {
  const std::string limit = "  revisionHistoryLimit: 1";
  for (int i = 1; i <= 4; ++i) {
    Apply(Deployment(1, absl::StrCat("b:", i), limit));
    Live();
    store_.clock.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(store_->List("ReplicaSet"), SizeIs(2));
}

TEST_F(ControllersTest, RecreateHasNoTwoTemplatesAtATime) {
  Apply(Deployment(2, "b:1", "  strategy: {type: Recreate}"));
  Live();
  Apply(Deployment(2, "b:2", "  strategy: {type: Recreate}"));
  EXPECT_THAT(Pods(), IsEmpty());
  EXPECT_THAT(Pods(false), SizeIs(2));  // They end; nothing new yet.
  Live();
  ASSERT_THAT(Pods(), SizeIs(2));
  EXPECT_EQ((*Pods()[0])["spec"]["containers"][0]["image"], "b:2");
}

TEST_F(ControllersTest, APausedDeploymentIsScaledButNotRolledOut) {
  Apply(Deployment(1, "b:1"));
  Live();
  Apply(Deployment(3, "b:2", "  paused: true"));
  Live();
  ASSERT_THAT(Pods(), SizeIs(3));
  for (const ObjectPtr& pod : Pods()) EXPECT_EQ((*pod)["spec"]["containers"][0]["image"], "b:1");
  EXPECT_EQ(TextAt(ConditionOf(Get("Deployment", "web"), "Progressing"), "reason"),
            "DeploymentPaused");
}

TEST_F(ControllersTest, ARolloutThatDoesNotGetOnSaysSo) {
  Apply(Deployment(1, "b:1", "  progressDeadlineSeconds: 60"));
  store_.clock.Advance(absl::Seconds(61));
  Run();
  const Json condition = ConditionOf(Get("Deployment", "web"), "Progressing");
  EXPECT_EQ(TextAt(condition, "status"), "False");
  EXPECT_EQ(TextAt(condition, "reason"), "ProgressDeadlineExceeded");
}

TEST_F(ControllersTest, MinReadySecondsAreWaitedFor) {
  Apply(Deployment(1, "b:1", "  minReadySeconds: 30"));
  Live();
  EXPECT_EQ(NumberAt(Get("Deployment", "web"), "status.availableReplicas"), 0);
  store_.clock.Advance(absl::Seconds(31));
  Run();
  EXPECT_EQ(NumberAt(Get("Deployment", "web"), "status.availableReplicas"), 1);
}

TEST_F(ControllersTest, WhatAnOwnerHadGoesWithIt) {
  Apply(Deployment(2, "b:1"));
  Live();
  Delete({"Deployment", "default", "web"});
  EXPECT_THAT(store_->List("ReplicaSet"), IsEmpty());
  EXPECT_THAT(Pods(), IsEmpty());
  Live();
  EXPECT_THAT(Pods(false), IsEmpty());
  EXPECT_THAT(store_->List("Endpoints"), IsEmpty());
}

TEST_F(ControllersTest, ARestartGoesOnWhereItWas) {
  Apply(Deployment(3, "b:1"));
  Live();
  Apply(Deployment(3, "b:2"));
  Restart();
  Live();
  EXPECT_THAT(Pods(), SizeIs(3));
  // What was left behind while nobody looked.
  controllers_.reset();
  EXPECT_OK(store_->Remove({"Deployment", "default", "web"}));
  Restart();
  Live();
  EXPECT_THAT(Pods(false), IsEmpty());
}

TEST_F(ControllersTest, ADaemonSetHasOnePodHere) {
  const std::string yaml = R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {role: log}
      containers: [{name: c, image: 'IMAGE'}]
)";
  const auto with = [&](const std::string& image) {
    std::string out = yaml;
    return out.replace(out.find("IMAGE"), 5, image);
  };
  Apply(with("b:1"));
  EXPECT_THAT(Pods(), IsEmpty());
  ASSERT_OK(LabelObject(store_.get(), {"Node", "", kNode}, {{{"role", "log"}}, {}, false}));
  Run();
  Live();
  ASSERT_THAT(Pods(), SizeIs(1));
  EXPECT_EQ(NumberAt(Get("DaemonSet", "web"), "status.numberReady"), 1);
  Apply(with("b:2"));
  Live();
  ASSERT_THAT(Pods(), SizeIs(1));
  EXPECT_EQ((*Pods()[0])["spec"]["containers"][0]["image"], "b:2");
  ASSERT_OK(LabelObject(store_.get(), {"Node", "", kNode}, {{}, {"role"}, false}));
  Run();
  Live();
  EXPECT_THAT(Pods(false), IsEmpty());
}

TEST_F(ControllersTest, AJobIsDoneWhenItsPodsAre) {
  Create(Job("completions: 3, parallelism: 2"));
  EXPECT_THAT(Pods(), SizeIs(2));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(NumberAt(Get("Job", "sum"), "status.succeeded"), i);
    SetPod(*Pods()[0], "Succeeded", false);
    Run();
  }
  const Json job = Get("Job", "sum");
  EXPECT_EQ(TextAt(ConditionOf(job, "Complete"), "status"), "True");
  EXPECT_EQ(NumberAt(job, "status.succeeded"), 3);
  EXPECT_FALSE(TextAt(job, "status.completionTime").empty());
  EXPECT_THAT(Pods(), IsEmpty());
  EXPECT_THAT(Events("Completed"), ElementsAre("Job completed"));
}

TEST_F(ControllersTest, AnIndexedJobDoesEachIndexOnce) {
  Create(Job("completions: 4, parallelism: 3, completionMode: Indexed"));
  const auto of_index = [&](const std::string& index) -> Json {
    for (const ObjectPtr& pod : Pods()) {
      if (AnnotationOf(*pod, "batch.kubernetes.io/job-completion-index") == index) return *pod;
    }
    return Json();
  };
  ASSERT_THAT(Pods(), SizeIs(3));
  const Json second = of_index("1");
  EXPECT_THAT(TextAt(second, "metadata.name"), ::testing::StartsWith("sum-1-"));
  EXPECT_EQ(TextAt(second, "spec.hostname"), "sum-1");
  EXPECT_EQ(LabelOf(second, "batch.kubernetes.io/job-completion-index"), "1");
  const Json& env = At(second, "spec.containers")[0]["env"][0];
  EXPECT_EQ(TextAt(env, "name"), "JOB_COMPLETION_INDEX");
  EXPECT_EQ(TextAt(env, "valueFrom.fieldRef.fieldPath"),
            "metadata.annotations['batch.kubernetes.io/job-completion-index']");
  // One that fails is tried again under its own index; the others go on.
  SetPod(second, "Failed", false);
  SetPod(of_index("2"), "Succeeded", false);
  Run();
  EXPECT_EQ(TextAt(Get("Job", "sum"), "status.completedIndexes"), "2");
  store_.clock.Advance(absl::Seconds(30));
  Run();
  Restart();
  ASSERT_THAT(Pods(), SizeIs(3));
  SetPod(of_index("0"), "Succeeded", false);
  SetPod(of_index("1"), "Succeeded", false);
  Run();
  EXPECT_EQ(TextAt(Get("Job", "sum"), "status.completedIndexes"), "0-2");
  // A pod that stands for nothing does not stay.
  Json stray = of_index("3");
  ASSERT_OK(store_->Update(KeyOf(stray), [](Json& pod) {
    pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] = "0";
    return absl::OkStatus();
  }));
  Run();
  Live();
  ASSERT_THAT(Pods(), SizeIs(1));
  SetPod(of_index("3"), "Succeeded", false);
  Run();
  const Json job = Get("Job", "sum");
  EXPECT_EQ(TextAt(job, "status.completedIndexes"), "0-3");
  EXPECT_EQ(NumberAt(job, "status.succeeded"), 4);
  EXPECT_EQ(NumberAt(job, "status.failed"), 1);
  EXPECT_EQ(TextAt(ConditionOf(job, "Complete"), "status"), "True");
}

TEST_F(ControllersTest, AJobCountsEachPodOnce) {
  Create(Job("completions: 2"));
  SetPod(*Pods()[0], "Succeeded", false);
  Run();
  Restart();
  // Somebody tidies up: what was counted stays so.
  for (const ObjectPtr& pod : Pods(false)) {
    if (PhaseOf(*pod) != "Succeeded") continue;
    ASSERT_OK(store_->Remove(KeyOf(*pod)));
  }
  Run();
  EXPECT_EQ(NumberAt(Get("Job", "sum"), "status.succeeded"), 1);
  ASSERT_THAT(Pods(), SizeIs(1));
  SetPod(*Pods()[0], "Succeeded", false);
  Run();
  EXPECT_EQ(NumberAt(Get("Job", "sum"), "status.succeeded"), 2);
  EXPECT_EQ(TextAt(ConditionOf(Get("Job", "sum"), "Complete"), "status"), "True");
}

TEST_F(ControllersTest, FailedPodsAreTriedAgainLaterAndLater) {
  Create(Job("backoffLimit: 2"));
  for (int failure = 1; failure <= 2; ++failure) {
    SetPod(*Pods()[0], "Failed", false);
    Run();
    EXPECT_THAT(Pods(), IsEmpty());
    store_.clock.Advance(absl::Seconds(10 * failure - 2));
    Run();
    EXPECT_THAT(Pods(), IsEmpty()) << failure;
    store_.clock.Advance(absl::Seconds(2));
    Run();
    ASSERT_THAT(Pods(), SizeIs(1)) << failure;
  }
  SetPod(*Pods()[0], "Failed", false);
  Run();
  EXPECT_EQ(TextAt(ConditionOf(Get("Job", "sum"), "Failed"), "reason"), "BackoffLimitExceeded");
  EXPECT_THAT(Events("BackoffLimitExceeded"),
              ElementsAre("Job has reached the specified backoff limit"));
}

TEST_F(ControllersTest, AJobHasADeadlineAndATimeToLive) {
  Create(Job("activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 5"));
  store_.clock.Advance(absl::Seconds(30));
  Run();
  EXPECT_EQ(TextAt(ConditionOf(Get("Job", "sum"), "Failed"), "reason"), "DeadlineExceeded");
  EXPECT_THAT(Pods(), IsEmpty());
  store_.clock.Advance(absl::Seconds(5));
  Run();
  EXPECT_THAT(store_->List("Job"), IsEmpty());
  Live();
  EXPECT_THAT(Pods(false), IsEmpty());
}

TEST_F(ControllersTest, ASuspendedJobHasNoPods) {
  Create(Job("suspend: true"));
  EXPECT_THAT(Pods(), IsEmpty());
  EXPECT_EQ(TextAt(ConditionOf(Get("Job", "sum"), "Suspended"), "status"), "True");
  ASSERT_OK(store_->Update({"Job", "default", "sum"}, [](Json& job) {
    job["spec"]["suspend"] = false;
    return absl::OkStatus();
  }));
  Run();
  EXPECT_THAT(Pods(), SizeIs(1));
  EXPECT_THAT(Events("Resumed"), ElementsAre("Job resumed"));
}

TEST_F(ControllersTest, EndpointsAreThePodsThatAreReady) {
  Apply(Deployment(2, "b:1"));
  Live();
  Create(Pod("alone", "", ", ports: [{containerPort: 53, protocol: UDP}]"));
  Json endpoints = Get("Endpoints", "web");
  ASSERT_EQ(endpoints["subsets"].size(), 1);
  EXPECT_EQ(endpoints["subsets"][0]["addresses"].size(), 2);
  EXPECT_EQ(endpoints["subsets"][0]["ports"],
            Json::array({{{"name", "http"}, {"port", 80}, {"protocol", "TCP"}}}));
  EXPECT_EQ(Get("Endpoints", "alone")["subsets"], Json::array());
  SetPod(*Pods()[1], "Running", false);
  Run();
  endpoints = Get("Endpoints", "web");
  EXPECT_EQ(endpoints["subsets"][0]["addresses"].size(), 1);
  EXPECT_EQ(endpoints["subsets"][0]["notReadyAddresses"].size(), 1);
}

}  // namespace
}  // namespace crisp::agent
