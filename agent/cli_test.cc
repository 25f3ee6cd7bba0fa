#include "agent/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "agent/fake_node.h"
#include "base/clock.h"

namespace crisp::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Result {
  int code;
  std::string out, err;
};

constexpr char kPod[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: shop}}
spec:
  terminationGracePeriodSeconds: 7
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [tail, -f, /dev/null]
    env:
    - {name: MODE, valueFrom: {configMapKeyRef: {name: cfg, key: mode}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
  - name: side
    image: sidecar:1
)";
constexpr char kConfigMap[] = R"(
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg}
data: {mode: fast}
)";

class CliTest : public ::testing::Test {
 protected:
  Result Crisp(std::vector<std::string> args, const std::string& input = "") {
    args.insert(args.begin(), {"--address", node_.address()});
    std::istringstream in(input);
    std::ostringstream out, err;
    Result result;
    result.code = RunCli(args, {in, out, err}, Clock::Real());
    result.out = out.str();
    result.err = err.str();
    return result;
  }
  Result Apply(const std::string& manifest) {
    return Crisp({"apply", "-f", "-", "--log-root", LogRoot()}, manifest);
  }
  Result Delete(std::vector<std::string> args) {
    args.insert(args.begin(), "delete");
    args.insert(args.end(), {"--log-root", LogRoot()});
    return Crisp(args);
  }
  std::string LogRoot() const { return node_.directory() + "/logs"; }
  std::string LogDirectory() const { return node_.sandbox_request().config().log_directory(); }

  FakeNode node_;
};

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

TEST_F(CliTest, ApplyMakesObjectsThenPods) {
  const Result result = Apply(std::string(kPod) + kConfigMap);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "configmap/cfg created\npod/web created\n");
  const auto main = node_.container_config("main");
  EXPECT_EQ(main.envs(0).value(), "fast");
  EXPECT_EQ(main.envs(1).key(), "IP");
  EXPECT_EQ(main.envs(1).value(), "10.85.0.7");
  EXPECT_EQ(main.image().image(), "sha256:busybox");
  const auto sandbox = node_.sandbox_request().config();
  EXPECT_EQ(sandbox.metadata().namespace_(), "default");
  EXPECT_THAT(LogDirectory(), StartsWith(LogRoot() + "/default_web_"));
  EXPECT_TRUE(Exists(LogDirectory() + "/side"));
}

TEST_F(CliTest, ApplyAgainIsUnchangedAndAChangeIsRefused) {
  Apply(std::string(kPod) + kConfigMap);
  const size_t calls = node_.calls().size();
  EXPECT_EQ(Apply(std::string(kPod) + kConfigMap).out,
            "configmap/cfg unchanged\npod/web unchanged\n");
  EXPECT_GT(node_.calls().size(), calls);
  std::string changed = kPod;
  changed.replace(changed.find("sidecar:1"), 9, "sidecar:2");
  const Result result = Apply(changed);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, StartsWith("crisp: error: pod/web: the pod runs with another spec"));
  EXPECT_THAT(result.err, HasSubstr("crisp delete pod web -n default"));
  EXPECT_EQ(node_.sandbox_count(), 1u);
}

TEST_F(CliTest, MissingObjectIsNamedBeforeAnythingIsMade) {
  const Result result = Apply(kPod);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err,
            "crisp: error: pod/web: spec.containers[0].env[0] (MODE): ConfigMap default/cfg does "
            "not exist; it should hold the key \"mode\"\n");
  EXPECT_THAT(node_.calls(), Not(Contains("RunPodSandbox")));
  EXPECT_THAT(node_.calls(), Not(Contains("PullImage")));
}

TEST_F(CliTest, AFailureOnTheWayLeavesNothing) {
  for (const char* rpc :
       {"RunPodSandbox", "PodSandboxStatus", "CreateContainer", "StartContainer"}) {
    FakeNode node;
    node.Fail(rpc, grpc::Status(grpc::StatusCode::INTERNAL, "broken here"));
    std::istringstream in(std::string(kPod) + kConfigMap);
    std::ostringstream out, err;
    const std::string logs = node.directory() + "/logs";
    EXPECT_EQ(RunCli({"apply", "-f", "-", "--log-root", logs, "--address", node.address()},
                     {in, out, err}, Clock::Real()),
              1);
    EXPECT_THAT(err.str(), HasSubstr("broken here")) << rpc;
    EXPECT_EQ(node.sandbox_count(), 0u) << rpc;
    EXPECT_FALSE(Exists(node.sandbox_request().config().log_directory() + "/main")) << rpc;
  }
}

TEST_F(CliTest, UndoThatFailsIsSaid) {
  node_.Fail("StartContainer", grpc::Status(grpc::StatusCode::INTERNAL, "no such file"));
  node_.Fail("RemovePodSandbox", grpc::Status(grpc::StatusCode::INTERNAL, "busy"));
  const Result result = Apply(std::string(kPod) + kConfigMap);
  EXPECT_THAT(result.err, HasSubstr("no such file"));
  EXPECT_THAT(result.err, HasSubstr("remove sandbox: busy"));
  EXPECT_THAT(result.err, HasSubstr("crisp delete pod web"));
}

TEST_F(CliTest, ADeadSandboxIsReplaced) {
  Apply(std::string(kPod) + kConfigMap);
  node_.StopSandboxes();
  EXPECT_EQ(Apply(kPod).out, "pod/web recreated\n");
  EXPECT_EQ(node_.sandbox_count(), 1u);
}

TEST_F(CliTest, InitContainersRunInOrderToTheirEnd) {
  const std::string pod = R"(
apiVersion: v1
kind: Pod
metadata: {name: job}
spec:
  initContainers: [{name: first, image: a}, {name: second, image: b}]
  containers: [{name: main, image: c}]
)";
  node_.Exits("first", 0);
  node_.Exits("second", 3);
  const Result result = Apply(pod);
  EXPECT_THAT(result.err, HasSubstr("init container second exited with code 3"));
  EXPECT_EQ(node_.container_config("main").metadata().name(), "");
  EXPECT_EQ(node_.sandbox_count(), 0u);
  node_.Exits("second", 0);
  EXPECT_EQ(Apply(pod).out, "pod/job created\n");
  EXPECT_THAT(Crisp({"get", "pods"}).out, HasSubstr("job    1/1     Running   0"));
}

TEST_F(CliTest, PullPolicies) {
  const auto pod = [](const std::string& policy) {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "
           "app" +
           policy + "}]}\n";
  };
  EXPECT_THAT(Apply(pod(", imagePullPolicy: Never")).err, HasSubstr("imagePullPolicy is Never"));
  node_.Fail("PullImage", grpc::Status(grpc::StatusCode::UNAVAILABLE, "registry is away"));
  EXPECT_THAT(Apply(pod("")).err, HasSubstr("container c: pull image app: registry is away"));
  node_.AddImage("app");
  EXPECT_THAT(Apply(pod(", imagePullPolicy: Always")).err, HasSubstr("registry is away"));
  EXPECT_EQ(Apply(pod("")).out, "pod/p created\n");  // Present: no registry is needed.
}

TEST_F(CliTest, DeleteStopsWithThePodsGraceAndTakesTheLogsAlong) {
  Apply(std::string(kPod) + kConfigMap);
  const std::string logs = LogDirectory();
  ASSERT_TRUE(Exists(logs));
  const Result result = Delete({"pod", "web"});
  EXPECT_EQ(result.out, "pod \"web\" deleted\n");
  EXPECT_THAT(node_.calls(), Contains("StopContainer:7"));
  EXPECT_EQ(node_.sandbox_count(), 0u);
  EXPECT_FALSE(Exists(logs));
  EXPECT_EQ(Delete({"pod", "web"}).err, "crisp: error: pods \"web\" not found\n");
  EXPECT_EQ(Delete({"pod", "web", "--ignore-not-found"}).code, 0);
  EXPECT_EQ(Delete({"configmap/cfg"}).out, "configmap \"cfg\" deleted\n");
  EXPECT_EQ(Delete({"cm", "cfg"}).code, 1);
}

TEST_F(CliTest, DeleteGracePeriodIsTheUsers) {
  Apply(std::string(kPod) + kConfigMap);
  Delete({"pod", "web", "--grace-period=0"});
  EXPECT_THAT(node_.calls(), Contains("StopContainer:0"));
}

TEST_F(CliTest, GetPodsShowsStatesAsKubectlDoes) {
  const auto pod = [](const std::string& name) {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {n: " + name +
           "}}\nspec: {containers: [{name: c-" + name + ", image: a}]}\n---\n";
  };
  node_.Exits("c-done", 0);
  node_.Exits("c-bad", 2);
  node_.Exits("c-oom", 137);
  EXPECT_EQ(Apply(pod("run") + pod("done") + pod("bad") + pod("oom")).code, 0);
  const std::string table = Crisp({"get", "pods"}).out;
  EXPECT_THAT(table, StartsWith("NAME   READY   STATUS      RESTARTS   AGE\n"));
  EXPECT_THAT(table, HasSubstr("run    1/1     Running     0"));
  EXPECT_THAT(table, HasSubstr("done   0/1     Completed   0"));
  EXPECT_THAT(table, HasSubstr("bad    0/1     Error       0"));
  EXPECT_THAT(table, HasSubstr("oom    0/1     OOMKilled   0"));
  EXPECT_EQ(Crisp({"get", "pods", "-l", "n in (run,bad)", "-o", "name"}).out, "pod/bad\npod/run\n");
  EXPECT_THAT(Crisp({"get", "pod", "run", "-o", "wide"}).out, HasSubstr("10.85.0.7"));
  EXPECT_THAT(Crisp({"get", "po", "-A"}).out, StartsWith("NAMESPACE   NAME"));
  EXPECT_EQ(Crisp({"get", "pods", "gone"}).err, "crisp: error: pods \"gone\" not found\n");
  EXPECT_EQ(Crisp({"get", "pods", "-n", "other"}).err, "No resources found in other namespace.\n");
  EXPECT_THAT(Crisp({"get", "things"}).err, HasSubstr("there is no resource type"));
}

TEST_F(CliTest, WhatGetPrintsCanBeAppliedAgain) {
  Apply(std::string(kPod) + kConfigMap);
  const Result yaml = Crisp({"get", "configmap", "cfg", "-o", "yaml"});
  EXPECT_EQ(yaml.out,
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cfg\n  namespace: default\n"
            "data:\n  mode: fast\n");
  EXPECT_EQ(Apply(yaml.out).out, "configmap/cfg unchanged\n");
  EXPECT_EQ(Apply(Crisp({"get", "pod", "web", "-o", "yaml"}).out).out, "pod/web unchanged\n");
  EXPECT_EQ(Apply(Crisp({"get", "pods", "-o", "json"}).out).out, "pod/web unchanged\n");
}

TEST_F(CliTest, CreateConfigMap) {
  const std::string file = node_.directory() + "/server.xml";
  std::ofstream(file) << "<a>\n</a>\n";
  EXPECT_EQ(Crisp({"create", "configmap", "cfg", "--from-file", file, "--from-literal=k=v",
                   "--dry-run=client", "-o", "yaml"})
                .out,
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cfg\n  namespace: default\n"
            "data:\n  k: v\n  server.xml: |\n    <a>\n    </a>\n");
  EXPECT_EQ(Crisp({"create", "configmap", "cfg", "--from-file=" + file}).out,
            "configmap/cfg created\n");
  EXPECT_THAT(Crisp({"create", "cm", "cfg"}).err, HasSubstr("configmaps \"cfg\" already exists"));
  EXPECT_EQ(Crisp({"describe", "configmap", "cfg"}).out,
            "Name:         cfg\nNamespace:    default\nLabels:       <none>\nAnnotations:  <none>\n"
            "\nData\n====\nserver.xml:\n----\n<a>\n</a>\n\n\nBinaryData\n====\n");
  std::ofstream(file, std::ios::binary) << "\xff\xfe";
  EXPECT_THAT(Crisp({"create", "cm", "b", "--from-file=" + file, "--dry-run=client", "-oyaml"}).out,
              HasSubstr("binaryData:\n  server.xml: //4=\n"));
}

TEST_F(CliTest, SecretsAreShownAsSizesOnly) {
  EXPECT_EQ(Crisp({"create", "secret", "generic", "s", "--from-literal=pass=hunter2"}).out,
            "secret/s created\n");
  const std::string described = Crisp({"describe", "secret", "s"}).out;
  EXPECT_THAT(described, HasSubstr("pass:  7 bytes"));
  EXPECT_THAT(described, Not(HasSubstr("hunter2")));
  EXPECT_THAT(Crisp({"get", "secrets"}).out, HasSubstr("s      Opaque   1"));
}

TEST_F(CliTest, ExecPassesOutputAndExitCode) {
  Apply(std::string(kPod) + kConfigMap);
  runtime::v1::ExecSyncResponse reply;
  reply.set_stdout("out\n");
  reply.set_stderr("err\n");
  reply.set_exit_code(3);
  node_.SetExec(reply);
  const Result result =
      Crisp({"exec", "web", "-c", "side", "--", "sh", "-c", "exit 3", "--", "-n"});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\ncommand terminated with exit code 3\n");
  EXPECT_THAT(node_.exec_request().cmd(), ElementsAre("sh", "-c", "exit 3", "--", "-n"));
  EXPECT_THAT(Crisp({"exec", "web", "--", "true"}).err,
              StartsWith("Defaulted container \"main\" out of: main, side\n"));
  EXPECT_THAT(Crisp({"exec", "-it", "web", "--", "sh"}).err, HasSubstr("not available yet"));
  EXPECT_THAT(Crisp({"exec", "web"}).err, HasSubstr("what to run?"));
  EXPECT_THAT(Crisp({"exec", "web", "-c", "nope", "--", "true"}).err,
              HasSubstr("has no container \"nope\"; it has main, side"));
  EXPECT_THAT(Crisp({"get", "pods", "--", "x"}).err, HasSubstr("only exec takes a command"));
}

TEST_F(CliTest, LogsAreReadFromTheFile) {
  Apply(std::string(kPod) + kConfigMap);
  std::ofstream(LogDirectory() + "/main/0.log") << "2026-01-02T03:04:05Z stdout F one\n"
                                                << "2026-01-02T03:04:06Z stderr F two\n";
  EXPECT_EQ(Crisp({"logs", "web"}).out, "one\ntwo\n");
  EXPECT_EQ(Crisp({"logs", "pod/web", "-c", "main", "--tail=1", "--timestamps"}).out,
            "2026-01-02T03:04:06Z two\n");
  EXPECT_THAT(Crisp({"logs", "web", "side"}).err, HasSubstr("there is no log at"));
  EXPECT_THAT(Crisp({"logs", "web", "-p"}).err, HasSubstr("has not run before"));
  EXPECT_THAT(Crisp({"logs", "web", "--since=never"}).err, HasSubstr("is not a duration"));
}

TEST_F(CliTest, ImportStreamsTheFile) {
  const std::string bytes(1'500'000, 'x');
  EXPECT_EQ(Crisp({"import", "-", "--name", "app:dev"}, bytes).out,
            "image/app:dev imported (sha256:0123)\n");
  EXPECT_EQ(node_.imported(), bytes);
  EXPECT_THAT(Crisp({"import", "/nonexistent.tar"}).err, HasSubstr("cannot be read"));
}

TEST_F(CliTest, ErrorsAreOneLineAndSayWhatToDo) {
  std::istringstream in;
  std::ostringstream out, err;
  EXPECT_EQ(
      RunCli({"--address", "/tmp/no/such.sock", "get", "pods"}, {in, out, err}, Clock::Real()), 1);
  EXPECT_THAT(err.str(), StartsWith("crisp: error: crispd does not answer at unix:///tmp/no/such"));
  EXPECT_THAT(err.str(), HasSubstr("systemctl start crispd"));
  EXPECT_THAT(Crisp({"apply"}).err, HasSubstr("see crisp apply --help"));
  EXPECT_THAT(Crisp({"frobnicate"}).err, StartsWith("crisp: error: "));
  EXPECT_EQ(Crisp({"frobnicate"}).code, 1);
  EXPECT_THAT(Crisp({"apply", "--help"}).out, HasSubstr("crisp apply -f pod.yaml"));
  EXPECT_THAT(Crisp({"--help"}).out, HasSubstr("First steps:"));
  EXPECT_THAT(Crisp({"apply", "-f", "-", "-n", "other"},
                    "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}")
                  .err,
              HasSubstr("metadata.namespace: is \"b\", but -n says \"other\""));
}

TEST_F(CliTest, VersionAndCompletion) {
  EXPECT_THAT(Crisp({"version"}).out, HasSubstr("Server Version: fake 1.2.3 (CRI v1)"));
  EXPECT_THAT(Crisp({"version", "--client"}).out, Not(HasSubstr("Server")));
  EXPECT_THAT(Crisp({"completion", "bash"}).out, HasSubstr("complete -F _crisp crisp"));
}

}  // namespace
}  // namespace crisp::agent
