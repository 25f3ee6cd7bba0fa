#include "agent/output/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace crisp::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

DescribeContext Context() {
  DescribeContext context;
  context.now = kNow;
  return context;
}

Json Event() {
  return {{"type", "Warning"},
          {"reason", "BackOff"},
          {"message", "Back-off restarting failed container"},
          {"source", {{"component", "kubelet"}}},
          {"count", 3},
          {"firstTimestamp", "2027-01-15T07:55:00Z"},
          {"lastTimestamp", "2027-01-15T07:59:55Z"}};
}

constexpr char kPod[] = R"({
  "kind": "Pod",
  "metadata": {"name": "web", "namespace": "default", "labels": {"app": "shop", "tier": "front"},
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d", "controller": true}]},
  "spec": {"nodeName": "here",
    "initContainers": [{"name": "prepare", "image": "busybox", "command": ["sh", "-c", "a\nb"]}],
    "containers": [{"name": "main", "image": "nginx", "args": ["-x"],
      "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}],
      "resources": {"limits": {"memory": "128Mi"}},
      "livenessProbe": {"exec": {"command": ["cat", "/ok"]}, "periodSeconds": 5},
      "readinessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}},
      "envFrom": [{"configMapRef": {"name": "cfg"}, "prefix": "P_"}],
      "env": [{"name": "A", "value": "1"},
              {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
              {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
      "volumeMounts": [{"name": "conf", "mountPath": "/etc/x", "subPath": "x", "readOnly": true}]}],
    "volumes": [{"name": "conf", "configMap": {"name": "cfg", "optional": true}}]},
  "status": {"phase": "Running", "podIP": "10.85.0.7", "hostIP": "192.0.2.1",
    "podIPs": [{"ip": "10.85.0.7"}], "qosClass": "Burstable",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "main", "ready": true, "restartCount": 1,
      "containerID": "crisp://abc", "imageID": "sha256:x",
      "state": {"running": {"startedAt": "2027-01-15T07:00:00Z"}},
      "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}})";

TEST(DescribeTest, PodAsKubectlLaysItOut) {
  DescribeContext context = Context();
  context.events.push_back(Event());
  const std::string text = Describe(Json::parse(kPod), context);
  EXPECT_THAT(text, HasSubstr("Name:             web\n"
                              "Namespace:        default\n"
                              "Priority:         0\n"
                              "Service Account:  default\n"
                              "Node:             here/192.0.2.1\n"
                              "Labels:           app=shop\n"
                              "                  tier=front\n"
                              "Annotations:      <none>\n"
                              "Status:           Running\n"
                              "IP:               10.85.0.7\n"
                              "IPs:\n"
                              "  IP:           10.85.0.7\n"
                              "Controlled By:  ReplicaSet/web-5d\n"
                              "Init Containers:\n"
                              "  prepare:\n"));
  EXPECT_THAT(text, HasSubstr("    Command:\n      sh\n      -c\n      a\n      b\n"));
  EXPECT_THAT(text, HasSubstr("    Last State:     Terminated\n"
                              "      Reason:       OOMKilled\n"
                              "      Exit Code:    137\n"));
  EXPECT_THAT(text, HasSubstr("    Port:          80/TCP (http)\n"));
  EXPECT_THAT(text,
              HasSubstr("exec [cat /ok] delay=0s timeout=1s period=5s #success=1 #failure=3"));
  EXPECT_THAT(text, HasSubstr("http-get http://:http/ delay=0s"));
  EXPECT_THAT(text, HasSubstr("      cfg  ConfigMap with prefix 'P_'  Optional: false\n"));
  EXPECT_THAT(text, HasSubstr("      K:   <set to the key 'k' in secret 's'>  Optional: false\n"));
  EXPECT_THAT(text, HasSubstr("      IP:   (v1:status.podIP)\n"));
  EXPECT_THAT(text, HasSubstr("      /etc/x from conf (ro,path=\"x\")\n"));
  EXPECT_THAT(text, HasSubstr("Conditions:\n  Type   Status\n  ----   ------\n  Ready  True\n"));
  EXPECT_THAT(text, HasSubstr("    Type:        ConfigMap (a volume populated by a ConfigMap)\n"
                              "    Name:        cfg\n"
                              "    Optional:    true\n"
                              "QoS Class:       Burstable\n"));
  EXPECT_THAT(text, HasSubstr("Events:\n"
                              "  Type     Reason   Age              From     Message\n"
                              "  ----     ------   ---              ----     -------\n"
                              "  Warning  BackOff  5s (x3 over 5m)  kubelet  Back-off restarting "
                              "failed container\n"));
}

TEST(DescribeTest, APodThatIsHardlyThere) {
  const std::string text =
      Describe(Json::parse(R"({"kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})"),
               Context());
  EXPECT_THAT(text, HasSubstr("Node:             <none>\n"));
  EXPECT_THAT(text, HasSubstr("    State:          Waiting\n"));
  EXPECT_THAT(text, HasSubstr("\nEvents:             <none>\n"));
}

TEST(DescribeTest, SecretsAreNotShown) {
  const std::string text =
      Describe(Json::parse(R"({"kind": "Secret", "metadata": {"name": "s", "namespace": "default"},
                      "data": {"password": "aHVudGVyMg=="}})"),
               Context());
  EXPECT_THAT(text, HasSubstr("password:  7 bytes\n"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, Not(HasSubstr("aHVudGVyMg")));
}

TEST(DescribeTest, ConfigMapDataAsItIs) {
  const std::string text = Describe(
      Json::parse(R"({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"},
                      "data": {"a": "1\tx\n"}, "binaryData": {"b": "/w=="}})"),
      Context());
  EXPECT_THAT(text, HasSubstr("\nData\n====\na:\n----\n1\tx\n\n"));
  EXPECT_THAT(text, HasSubstr("BinaryData\n====\nb: 1 bytes\n"));
}

TEST(DescribeTest, DeploymentWithItsReplicaSets) {
  const Json deployment = Json::parse(R"({"kind": "Deployment",
    "metadata": {"name": "shop", "namespace": "default", "uid": "d"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}},
      "strategy": {"type": "RollingUpdate",
                   "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
      "template": {"metadata": {"labels": {"app": "shop"}},
                   "spec": {"containers": [{"name": "c", "image": "new"}]}}},
    "status": {"replicas": 3, "updatedReplicas": 1, "availableReplicas": 2,
      "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}]}})");
  DescribeContext context = Context();
  for (const char* image : {"old", "new"}) {
    Json set = {{"kind", "ReplicaSet"},
                {"metadata",
                 {{"name", std::string("shop-") + image}, {"ownerReferences", {{{"uid", "d"}}}}}},
                {"spec", {{"replicas", 1}, {"template", deployment["spec"]["template"]}}},
                {"status", {{"replicas", 1}}}};
    set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = image;
    set["spec"]["template"]["spec"]["containers"][0]["image"] = image;
    context.replica_sets.push_back(set);
  }
  const std::string text = Describe(deployment, context);
  EXPECT_THAT(text, HasSubstr("2 desired | 1 updated | 3 total | 2 available | 0 unavailable\n"));
  EXPECT_THAT(text, HasSubstr("RollingUpdateStrategy:  1 max unavailable, 25% max surge\n"));
  EXPECT_THAT(text, HasSubstr("Pod Template:\n  Labels:  app=shop\n  Containers:\n    c:\n"));
  EXPECT_THAT(text, HasSubstr("OldReplicaSets:  shop-old (1/1 replicas created)\n"
                              "NewReplicaSet:   shop-new (1/1 replicas created)\n"));
}

TEST(DescribeTest, NodeAndJob) {
  DescribeContext context = Context();
  context.pods.push_back(Json::parse(kPod));
  const std::string node =
      Describe(Json::parse(R"({"kind": "Node", "metadata": {"name": "here"}, "status": {
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "capacity": {"cpu": "2"}, "nodeInfo": {"kernelVersion": "6.1"}}})"),
               context);
  EXPECT_THAT(node, HasSubstr("Non-terminated Pods:"));
  EXPECT_THAT(node, HasSubstr("(1 in total)"));
  EXPECT_THAT(node, HasSubstr("  default                     web   Running"));
  const std::string job =
      Describe(Json::parse(R"({"kind": "Job", "metadata": {"name": "j", "namespace": "default"},
        "spec": {"completions": 1}, "status": {"succeeded": 1,
        "startTime": "2027-01-15T07:00:00Z", "completionTime": "2027-01-15T07:00:09Z"}})"),
               context);
  EXPECT_THAT(job, HasSubstr("Duration:       9s\n"));
  EXPECT_THAT(job, HasSubstr("0 Active (0 Ready) / 1 Succeeded / 0 Failed\n"));
}

TEST(DescribeTest, NoValueMovesTheCursor) {
  Json pod = Json::parse(kPod);
  pod["metadata"]["labels"]["x"] = "\x1b[2J\ttab";
  EXPECT_THAT(Describe(pod, Context()), HasSubstr("x=\\033[2J\\011tab\n"));
}

}  // namespace
}  // namespace crisp::cli
