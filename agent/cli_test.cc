#include "agent/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "agent/client/fake_agent.h"
#include "base/clock.h"

namespace crisp::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
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
  containers: [{name: main, image: busybox}]
)";
constexpr char kConfigMap[] = R"(
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cfg}
data: {mode: fast}
)";

Json Pod(const std::string& name, const std::string& app = "shop", const char* phase = "Running") {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", name}, {"labels", {{"app", app}}}}},
          {"spec", {{"containers", {{{"name", "main"}, {"image", "busybox"}}}}}},
          {"status",
           {{"phase", phase},
            {"containerStatuses",
             {{{"name", "main"}, {"ready", true}, {"state", {{"running", Json::object()}}}}}}}}};
}

Json Deployment(int replicas, int available) {
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", {{"name", "shop"}}},
          {"spec",
           {{"replicas", replicas},
            {"selector", {{"matchLabels", {{"app", "shop"}}}}},
            {"template", {{"metadata", {{"labels", {{"app", "shop"}}}}}}}}},
          {"status",
           {{"replicas", replicas},
            {"updatedReplicas", replicas},
            {"availableReplicas", available},
            {"readyReplicas", available}}}};
}

class CliTest : public ::testing::Test {
 protected:
  Result Crisp(std::vector<std::string> args, const std::string& input = "") {
    args.insert(args.begin() + 1, {"--agent", agent_.address()});
    std::istringstream in(input);
    std::ostringstream out, err;
    Result result;
    result.code = RunCli(args, {in, out, err}, Clock::Real());
    result.out = out.str();
    result.err = err.str();
    return result;
  }
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = agent_.directory() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  // Does something while a verb waits.
  template <typename F>
  std::thread Later(F work) {
    return std::thread([work] {
      absl::SleepFor(absl::Milliseconds(150));
      work();
    });
  }
  void AddContainer(const std::string& pod, ResolvedContainer container) {
    ResolvedPod instances;
    instances.sandbox_id = "sandbox";
    instances.containers = {std::move(container)};
    agent_.SetInstances(pod, instances);
  }

  FakeAgent agent_;
};

TEST_F(CliTest, ApplySaysWhatItDid) {
  const std::string both = std::string(kPod) + kConfigMap;
  Result result = Crisp({"apply", "-f", "-"}, both);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "pod/web created\nconfigmap/cfg created\n");
  EXPECT_EQ(Crisp({"apply", "-f", "-"}, both).out, "pod/web unchanged\nconfigmap/cfg unchanged\n");
  std::string changed = both;
  changed.replace(changed.find("fast"), 4, "slow");
  EXPECT_EQ(Crisp({"apply", "-f", Write("m.yaml", changed)}).out,
            "pod/web unchanged\nconfigmap/cfg configured\n");
  EXPECT_EQ(agent_.Find({"ConfigMap", "", "cfg"})["data"]["mode"], "slow");
}

TEST_F(CliTest, ApplyGivesTheNamespace) {
  EXPECT_EQ(Crisp({"apply", "-n", "shop", "-f", "-"}, kPod).code, 0);
  EXPECT_FALSE(agent_.Find({"Pod", "shop", "web"}).is_null());
  const Result other = Crisp({"apply", "-n", "b", "-f", "-"},
                             "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\n");
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.err, HasSubstr("the namespace from the provided object \"a\" does not match "
                                   "the namespace \"b\""));
}

TEST_F(CliTest, ApplyReadsAllBeforeItSendsAny) {
  const Result result = Crisp({"apply", "-f", "-"}, std::string(kPod) + "---\nkind: ConfigMap\n");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "error: error validating \"STDIN: document 2\": apiVersion not set\n");
  EXPECT_THAT(agent_.calls(), Not(Contains("Apply")));
  EXPECT_THAT(Crisp({"apply", "-f", "-"}, "a: [").err, StartsWith("error: error parsing STDIN: "));
  EXPECT_THAT(Crisp({"apply", "-f", "/nonexistent"}).err,
              HasSubstr("the path \"/nonexistent\" does not exist"));
}

TEST_F(CliTest, ApplyGoesOnAfterAnInvalidObject) {
  const Result result =
      Crisp({"apply", "-f", "-"},
            std::string("apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\n") + kConfigMap);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "configmap/cfg created\n");
  EXPECT_EQ(result.err, "The Pod \"bad\" is invalid: spec.containers: Required value\n");
}

TEST_F(CliTest, AllErrorsOfAnObjectStandOnLinesOfTheirOwn) {
  const auto refuse = [&](const std::string& words) {
    return Crisp({"apply", "-f", "-"},
                 "{apiVersion: v1, kind: Pod, metadata: {name: bad, labels: "
                 "{refusal: \"" +
                     words + "\"}}}")
        .err;
  };
  EXPECT_EQ(refuse("The Pod 'bad' is invalid: \\n* spec.a: Required value\\n* spec.b: \\e[2J"),
            "The Pod 'bad' is invalid: \n* spec.a: Required value\n* spec.b: \\033[2J\n");
  EXPECT_EQ(refuse("something else\\nwith a line"),
            "Error from server (BadRequest): something else\\nwith a line\n");
  // As much as an object can have wrong.
  const std::string all = "The Pod 'bad' is invalid: " + std::string(64 * 1024, 'x');
  EXPECT_EQ(refuse(all), all + "\n");
}

TEST_F(CliTest, ApplyDryRunAndOutput) {
  EXPECT_EQ(Crisp({"apply", "--dry-run=server", "-f", "-"}, kPod).out,
            "pod/web created (server dry run)\n");
  EXPECT_EQ(Crisp({"apply", "--dry-run", "-f", "-"}, kPod).out, "pod/web created (dry run)\n");
  EXPECT_TRUE(agent_.Find({"Pod", "", "web"}).is_null());
  EXPECT_EQ(Crisp({"apply", "-o", "name", "-f", "-"}, kPod).out, "pod/web\n");
  EXPECT_THAT(Crisp({"apply", "-ojson", "-f", "-"}, kPod).out, HasSubstr("\"name\": \"web\""));
}

TEST_F(CliTest, ApplyDirectories) {
  ::mkdir((agent_.directory() + "/d").c_str(), 0700);
  ::mkdir((agent_.directory() + "/d/below").c_str(), 0700);
  Write("d/b.yaml", kPod);
  Write("d/a.json", R"({"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}]})");
  Write("d/notes.txt", "no manifest");
  Write("d/below/c.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\n");
  EXPECT_EQ(Crisp({"apply", "-f", agent_.directory() + "/d"}).out,
            "configmap/one created\npod/web created\n");
  EXPECT_EQ(Crisp({"apply", "-R", "-f", agent_.directory() + "/d"}).out,
            "configmap/one unchanged\npod/web unchanged\nconfigmap/deep created\n");
}

TEST_F(CliTest, ApplyWaits) {
  std::thread later = Later([this] {
    agent_.Change({"Pod", "", "web"}, [](Json& pod) {
      pod["status"]["conditions"] = {{{"type", "Ready"}, {"status", "True"}}};
    });
  });
  EXPECT_EQ(Crisp({"apply", "--wait", "-f", "-"}, kPod).code, 0);
  later.join();
  const Result late = Crisp({"apply", "--wait", "--timeout=100ms", "-f", "-"},
                            "apiVersion: v1\nkind: Pod\nmetadata: {name: slow}\nspec: {containers: "
                            "[{name: a, image: b}]}\n");
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, HasSubstr("timed out waiting for pod/slow to become ready; \"crisp "
                                  "describe pod/slow -n default\" says why"));
}

TEST_F(CliTest, WarningsGoToStderr) {
  const Result result = Crisp({"apply", "-f", "-"},
                              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: "
                              "{a: b}}\n");
  EXPECT_EQ(result.err, "Warning: annotations are noise\n");
  EXPECT_EQ(result.code, 0);
}

TEST_F(CliTest, UnknownKinds) {
  EXPECT_THAT(
      Crisp({"apply", "-f", "-"}, "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n").err,
      HasSubstr("no matches for kind \"Service\" in version \"v1\""));
  EXPECT_THAT(Crisp({"get", "services"}).err,
              HasSubstr("the server doesn't have a resource type \"services\""));
}

TEST_F(CliTest, CreateObjects) {
  Write("f.txt", "text\n");
  Write("bytes", std::string("\xff\x00", 2));
  EXPECT_EQ(Crisp({"create", "configmap", "made", "--from-literal=a=b",
                   "--from-file=" + agent_.directory() + "/f.txt",
                   "--from-file=raw=" + agent_.directory() + "/bytes"})
                .out,
            "configmap/made created\n");
  const Json map = agent_.Find({"ConfigMap", "", "made"});
  EXPECT_EQ(map["data"], (Json{{"a", "b"}, {"f.txt", "text\n"}}));
  EXPECT_EQ(map["binaryData"]["raw"], "/wA=");
  const Result again = Crisp({"create", "cm", "made", "--from-literal=a=b"});
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.err, "Error from server (AlreadyExists): configmaps \"made\" already exists\n");
  EXPECT_EQ(Crisp({"create", "secret", "generic", "s", "--from-literal=p=hunter2"}).out,
            "secret/s created\n");
  EXPECT_EQ(agent_.Find({"Secret", "", "s"})["data"]["p"], "aHVudGVyMg==");
  EXPECT_EQ(Crisp({"create", "-f", "-"}, kPod).out, "pod/web created\n");
}

TEST_F(CliTest, CreateDeployment) {
  EXPECT_EQ(Crisp({"create", "deployment", "shop", "--image=reg/team/nginx:1.25", "--replicas=2",
                   "--port=80", "--", "run", "-f"})
                .out,
            "deployment.apps/shop created\n");
  const Json object = agent_.Find({"Deployment", "", "shop"});
  EXPECT_EQ(object["spec"]["replicas"], 2);
  const Json container = object["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["name"], "nginx");
  EXPECT_EQ(container["command"], (Json{"run", "-f"}));
  EXPECT_EQ(container["ports"][0]["containerPort"], 80);
  EXPECT_EQ(object["spec"]["selector"]["matchLabels"]["app"], "shop");
}

TEST_F(CliTest, CreateDryRunNeedsNoAgent) {
  std::istringstream in;
  std::ostringstream out, err;
  EXPECT_EQ(RunCli({"create", "configmap", "c", "--from-literal=a=b", "--dry-run=client", "-o",
                    "yaml", "--agent", "/nonexistent/a.sock"},
                   {in, out, err}, Clock::Real()),
            0);
  EXPECT_EQ(out.str(), "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: c\n");
}

TEST_F(CliTest, GetTables) {
  EXPECT_EQ(Crisp({"get", "pods"}).err, "No resources found in default namespace.\n");
  agent_.Add(Pod("web"));
  agent_.Add(Pod("db", "db"));
  agent_.Add(Deployment(2, 1));
  const Result pods = Crisp({"get", "po"});
  EXPECT_THAT(pods.out, StartsWith("NAME   READY   STATUS    RESTARTS   AGE\n"
                                   "db     1/1     Running   0          "));
  EXPECT_THAT(Crisp({"get", "pods", "-l", "app=shop", "--no-headers"}).out,
              StartsWith("web   1/1"));
  EXPECT_THAT(Crisp({"get", "pods", "web", "--show-labels"}).out, HasSubstr("app=shop\n"));
  EXPECT_THAT(Crisp({"get", "pods", "-A"}).out, HasSubstr("default     web    1/1"));
  const std::string several = Crisp({"get", "pods,deploy"}).out;
  EXPECT_THAT(several, HasSubstr("\npod/web   1/1"));
  EXPECT_THAT(several, HasSubstr("\n\nNAME                   READY   UP-TO-DATE"));
  EXPECT_THAT(several, HasSubstr("\ndeployment.apps/shop   1/2     2"));
  EXPECT_EQ(Crisp({"get", "all"}).out, several);
}

TEST_F(CliTest, GetMissingNames) {
  agent_.Add(Pod("web"));
  const Result result = Crisp({"get", "pod", "web", "gone", "-o", "name"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "pod/web\n");
  EXPECT_EQ(result.err, "Error from server (NotFound): pods \"gone\" not found\n");
  EXPECT_EQ(Crisp({"get", "pod/gone", "--ignore-not-found"}).code, 0);
  EXPECT_THAT(Crisp({"get", "pod", "web", "-A"}).err,
              HasSubstr("a resource cannot be retrieved by name across all namespaces"));
  EXPECT_THAT(Crisp({"get"}).err, HasSubstr("you must specify the type of resource to get"));
}

TEST_F(CliTest, GetOutputs) {
  agent_.Add(Pod("web"));
  agent_.Add(Pod("b"));
  EXPECT_EQ(Crisp({"get", "pods", "-o", "name"}).out, "pod/b\npod/web\n");
  EXPECT_EQ(Crisp({"get", "pod", "web", "-o=jsonpath={.status.phase}"}).out, "Running");
  EXPECT_EQ(
      Crisp({"get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}"}).out,
      "b\nweb\n");
  EXPECT_EQ(Crisp({"get", "pods", "-o", "custom-columns=N:.metadata.name,X:.spec.x"}).out,
            "N     X\nb     <none>\nweb   <none>\n");
  EXPECT_EQ(Json::parse(Crisp({"get", "pod", "web", "-o", "json"}).out)["metadata"]["name"], "web");
  EXPECT_EQ(Json::parse(Crisp({"get", "pods", "-o", "json"}).out)["items"].size(), 2u);
  EXPECT_THAT(Crisp({"get", "pod/web", "-o", "yaml"}).out,
              StartsWith("apiVersion: v1\nkind: Pod\n"));
  EXPECT_THAT(Crisp({"get", "pods", "-o", "xml"}).err, HasSubstr("unable to match a printer"));
  EXPECT_THAT(Crisp({"get", "pods", "--sort-by=.metadata.uid", "--no-headers"}).out,
              StartsWith("web "));
}

TEST_F(CliTest, GetWatchShowsChanges) {
  agent_.Add(Pod("web"));
  std::istringstream in;
  std::stringstream out, err;
  std::thread watcher([&] {
    // Ends when the agent does.
    RunCli({"get", "pods", "-w", "--agent", agent_.address()}, {in, out, err}, Clock::Real());
  });
  while (agent_.calls().empty()) absl::SleepFor(absl::Milliseconds(5));
  absl::SleepFor(absl::Milliseconds(100));
  agent_.Change({"Pod", "", "web"},
                [](Json& pod) { pod["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"; });
  absl::SleepFor(absl::Milliseconds(200));
  agent_.Stop();
  watcher.join();
  EXPECT_THAT(out.str(),
              ::testing::MatchesRegex("NAME   READY   STATUS    RESTARTS   AGE\n"
                                      "web    1/1     Running   0          [^\n]*\n"
                                      "web    1/1     Terminating   0          [^\n]*\n"));
}

TEST_F(CliTest, DeleteWaitsUntilGone) {
  agent_.KeepDeleted();
  agent_.Add(Pod("web"));
  std::thread later = Later([this] { agent_.Remove({"Pod", "", "web"}); });
  const absl::Time began = absl::Now();
  const Result result = Crisp({"delete", "pod", "web", "--grace-period=3"});
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(100));
  later.join();
  EXPECT_EQ(result.out, "pod \"web\" deleted\n");
  EXPECT_THAT(agent_.calls(), Contains("Delete Pod web grace=3"));
}

TEST_F(CliTest, DeleteFlags) {
  agent_.Add(Pod("a"));
  agent_.Add(Pod("b", "db"));
  agent_.Add(Deployment(1, 1));
  EXPECT_EQ(Crisp({"delete", "pods", "-l", "app=db", "--now"}).out, "pod \"b\" deleted\n");
  EXPECT_THAT(agent_.calls(), Contains("Delete Pod b grace=1"));
  EXPECT_EQ(Crisp({"delete", "deployment/shop", "--cascade=orphan"}).out,
            "deployment.apps \"shop\" deleted\n");
  EXPECT_THAT(agent_.calls(), Contains("Delete Deployment shop orphan"));
  const Result forced = Crisp({"delete", "pod/a", "--force"});
  EXPECT_EQ(forced.out, "pod \"a\" force deleted\n");
  EXPECT_THAT(forced.err, StartsWith("Warning: Immediate deletion does not wait"));
  EXPECT_THAT(agent_.calls(), Contains("Delete Pod a grace=0"));
  const Result gone = Crisp({"delete", "-f", "-"}, kPod);
  EXPECT_EQ(gone.code, 1);
  EXPECT_EQ(gone.err, "Error from server (NotFound): pods \"web\" not found\n");
  EXPECT_EQ(Crisp({"delete", "--ignore-not-found", "-f", "-"}, kPod).code, 0);
  EXPECT_THAT(Crisp({"delete", "pods"}).err, HasSubstr("no name was specified"));
  EXPECT_EQ(Crisp({"delete", "pods", "--all"}).out, "No resources found\n");
}

TEST_F(CliTest, DeleteTimesOut) {
  agent_.KeepDeleted();
  agent_.Add(Pod("web"));
  const Result result = Crisp({"delete", "pod", "web", "--timeout=100ms"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("timed out waiting for the condition on pods/web"));
  EXPECT_EQ(Crisp({"delete", "pod", "web", "--wait=false"}).code, 0);
}

TEST_F(CliTest, DescribeWithEvents) {
  agent_.Add(Pod("web-1"));
  agent_.Add({{"kind", "Event"},
              {"metadata", {{"name", "web-1.1"}}},
              {"involvedObject", {{"kind", "Pod"}, {"name", "web-1"}}},
              {"reason", "Pulled"},
              {"message", "Container image present"}});
  const Result result = Crisp({"describe", "pod", "web"});  // The beginning of the name.
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith("Name:             web-1\n"));
  EXPECT_THAT(result.out, HasSubstr("Container image present"));
  EXPECT_THAT(Crisp({"describe", "pod", "web-1", "--show-events=false"}).out,
              Not(HasSubstr("image present")));
  EXPECT_EQ(Crisp({"describe", "pod", "nope"}).code, 1);
}

TEST_F(CliTest, Logs) {
  const std::string log = Write("0.log",
                                "2027-01-15T08:00:00.000000000Z stdout F one\n"
                                "2027-01-15T08:00:01.000000000Z stderr F two\n");
  const std::string old = Write("old.log", "2027-01-15T07:00:00.000000000Z stdout F before\n");
  agent_.Add(Pod("web"));
  AddContainer(
      "web",
      {.name = "main", .id = "c1", .running = true, .log_path = log, .previous_log_path = old});
  EXPECT_EQ(Crisp({"logs", "web"}).out, "one\ntwo\n");
  EXPECT_EQ(Crisp({"logs", "web", "--tail=1", "--timestamps"}).out,
            "2027-01-15T08:00:01.000000000Z two\n");
  EXPECT_EQ(Crisp({"logs", "web", "main", "--since-time=2027-01-15T08:00:01Z"}).out, "two\n");
  EXPECT_EQ(Crisp({"logs", "web", "-p"}).out, "before\n");
  EXPECT_EQ(Crisp({"logs", "web", "--prefix"}).out, "[pod/web/main] one\n[pod/web/main] two\n");
  EXPECT_EQ(Crisp({"logs", "-l", "app=shop", "--all-containers", "--prefix", "--tail=1"}).out,
            "[pod/web/main] two\n");
  EXPECT_EQ(Crisp({"logs", "web", "nope"}).err,
            "Error from server (BadRequest): container nope is not valid for pod web\n");
  EXPECT_THAT(Crisp({"logs", "web", "--since=ten"}).err, HasSubstr("for \"--since\" flag"));
  EXPECT_EQ(Crisp({"logs", "gone"}).code, 1);
}

TEST_F(CliTest, LogsOfADeployment) {
  agent_.Add(Deployment(1, 1));
  agent_.Add(Pod("other", "db"));
  agent_.Add(Pod("shop-1"));
  AddContainer("shop-1",
               {.name = "main", .id = "c", .running = true, .log_path = Write("l", "x\n")});
  EXPECT_EQ(Crisp({"logs", "deployment/shop"}).out, "x\n");
}

TEST_F(CliTest, LogsFollowUntilTheContainerEnds) {
  const std::string log = Write("0.log", "2027-01-15T08:00:00.000000000Z stdout F one\n");
  ResolvedContainer container = {.name = "main", .id = "c1", .running = true, .log_path = log};
  AddContainer("web", container);
  std::thread later = Later([&] {
    std::ofstream(log, std::ios::app) << "2027-01-15T08:00:09.000000000Z stdout F two\n";
    container.running = false;
    AddContainer("web", container);
  });
  EXPECT_EQ(Crisp({"logs", "-f", "web"}).out, "one\ntwo\n");
  later.join();
}

TEST_F(CliTest, LogsOfWhatHasNotBegun) {
  AddContainer("web", {.name = "main", .waiting_reason = "ImagePullBackOff"});
  EXPECT_EQ(Crisp({"logs", "-f", "web"}).err,
            "error: container \"main\" in pod \"web\" is waiting to start: ImagePullBackOff\n");
  EXPECT_THAT(Crisp({"logs", "-p", "web"}).err,
              HasSubstr("previous terminated container \"main\" in pod \"web\" not found"));
}

TEST_F(CliTest, ExecRefusals) {
  EXPECT_THAT(Crisp({"exec", "web"}).err, HasSubstr("crisp exec web -- ls /"));
  EXPECT_THAT(Crisp({"exec", "web", "ls"}).err, HasSubstr("Use exec [POD] -- [COMMAND] instead"));
  AddContainer("web", {.name = "main", .id = "c1", .waiting_reason = "CrashLoopBackOff"});
  EXPECT_EQ(Crisp({"exec", "web", "--", "ls"}).err,
            "error: container \"main\" in pod \"web\" is not running: CrashLoopBackOff\n");
  EXPECT_EQ(Crisp({"exec", "gone", "--", "ls"}).err,
            "Error from server (NotFound): pods \"gone\" not found\n");
  AddContainer("web", {.name = "main", .id = "c1", .running = true});
  agent_.SetStreamUrl("http://127.0.0.1:1/exec/token");
  const Result result = Crisp({"exec", "-it", "web", "--", "ls", "-l"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("Unable to use a TTY - input is not a terminal"));
  EXPECT_THAT(result.err, HasSubstr("connect to the runtime's streaming server"));
  EXPECT_THAT(agent_.last_stream().command, ElementsAre("ls", "-l"));
  EXPECT_FALSE(agent_.last_stream().tty);
  EXPECT_TRUE(agent_.last_stream().in);
}

TEST_F(CliTest, ScaleAndRollout) {
  agent_.Add(Deployment(2, 1));
  EXPECT_EQ(Crisp({"scale", "deployment/shop", "--replicas=2"}).out,
            "deployment.apps/shop scaled\n");
  EXPECT_EQ(Crisp({"scale", "deploy", "shop", "--replicas=3", "--current-replicas=9"}).code, 1);
  EXPECT_EQ(Crisp({"rollout", "status", "deployment/shop", "--watch=false"}).out,
            "Waiting for deployment \"shop\" rollout to finish: 1 of 2 updated replicas are "
            "available...\n");
  std::thread later = Later([this] {
    agent_.Change({"Deployment", "", "shop"},
                  [](Json& object) { object["status"]["availableReplicas"] = 2; });
  });
  EXPECT_THAT(Crisp({"rollout", "status", "deployment", "shop"}).out,
              ::testing::EndsWith("deployment \"shop\" successfully rolled out\n"));
  later.join();
  EXPECT_EQ(Crisp({"rollout", "restart", "deployment/shop"}).out,
            "deployment.apps/shop restarted\n");
  EXPECT_TRUE(agent_.Find({"Deployment", "", "shop"})["spec"]["template"]["metadata"]["annotations"]
                  .contains("kubectl.kubernetes.io/restartedAt"));
  EXPECT_EQ(Crisp({"rollout", "pause", "deployment/shop"}).out, "deployment.apps/shop paused\n");
  EXPECT_EQ(Crisp({"rollout", "pause", "deployment/shop"}).code, 1);
  EXPECT_EQ(Crisp({"rollout", "resume", "deployment/shop"}).out, "deployment.apps/shop resumed\n");
}

TEST_F(CliTest, RolloutHistory) {
  agent_.Add(Deployment(1, 1));
  const std::string uid = agent_.Find({"Deployment", "", "shop"})["metadata"]["uid"];
  for (const char* revision : {"10", "9"}) {
    agent_.Add(
        {{"kind", "ReplicaSet"},
         {"metadata",
          {{"name", std::string("shop-") + revision},
           {"annotations", {{"deployment.kubernetes.io/revision", revision}}},
           {"ownerReferences", {{{"uid", uid}}}}}},
         {"spec",
          {{"template", {{"spec", {{"containers", {{{"name", "c"}, {"image", revision}}}}}}}}}}});
  }
  EXPECT_EQ(
      Crisp({"rollout", "history", "deployment/shop"}).out,
      "deployment.apps/shop\nREVISION   CHANGE-CAUSE\n9          <none>\n10         <none>\n");
  EXPECT_THAT(Crisp({"rollout", "history", "deployment/shop", "--revision=9"}).out,
              HasSubstr("Image:        9\n"));
}

TEST_F(CliTest, Labels) {
  agent_.Add({{"kind", "Node"}, {"metadata", {{"name", "here"}, {"labels", {{"a", "1"}}}}}});
  EXPECT_EQ(Crisp({"label", "node", "here", "disk=ssd"}).out, "node/here labeled\n");
  EXPECT_EQ(Crisp({"label", "node", "here", "disk=ssd"}).out, "node/here not labeled\n");
  EXPECT_EQ(Crisp({"label", "node", "here", "disk=hdd"}).err,
            "Error from server (Conflict): 'disk' already has a value (ssd), and --overwrite is "
            "false\n");
  EXPECT_EQ(Crisp({"label", "node/here", "a-"}).out, "node/here unlabeled\n");
  EXPECT_EQ(Crisp({"label", "node", "here", "--list"}).out, "disk=ssd\n");
  EXPECT_EQ(Crisp({"label", "node", "here"}).code, 1);
}

TEST_F(CliTest, Events) {
  for (const char* name : {"web", "db"}) {
    agent_.Add({{"kind", "Event"},
                {"metadata", {{"name", std::string(name) + ".1"}}},
                {"involvedObject", {{"kind", "Pod"}, {"name", name}}},
                {"type", std::string(name) == "web" ? "Warning" : "Normal"},
                {"reason", "BackOff"},
                {"message", "m"}});
  }
  EXPECT_THAT(Crisp({"events"}).out, HasSubstr("Normal    BackOff   Pod/db    m\n"));
  EXPECT_THAT(Crisp({"events", "--for", "pod/web", "--no-headers"}).out,
              ::testing::MatchesRegex("[^\n]*Warning   BackOff   Pod/web   m\n"));
  EXPECT_THAT(Crisp({"events", "--types=Warning"}).out, Not(HasSubstr("Pod/db")));
  EXPECT_EQ(Crisp({"events", "-n", "other"}).err, "No events found in other namespace.\n");
}

TEST_F(CliTest, Top) {
  agent_.SetStats({{"default", "web", {{"a", 1'500'000, 3 << 20}, {"b", 200'000'000, 5 << 20}}}});
  EXPECT_EQ(Crisp({"top", "pods"}).out,
            "NAME   CPU(cores)   MEMORY(bytes)\nweb    202m         8Mi\n");
  EXPECT_EQ(Crisp({"top", "pod", "web", "--containers", "--no-headers"}).out,
            "web   a   2m     3Mi\nweb   b   200m   5Mi\n");
  agent_.Add(Json::parse(R"({"kind": "Node", "metadata": {"name": "here"},
                             "status": {"allocatable": {"cpu": "2", "memory": "80Mi"}}})"));
  EXPECT_THAT(Crisp({"top", "node"}).out, HasSubstr("here   202m         10%      8Mi"));
}

TEST_F(CliTest, Wait) {
  agent_.Add(Pod("web"));
  std::thread later = Later([this] {
    agent_.Change({"Pod", "", "web"}, [](Json& pod) {
      pod["status"]["conditions"] = {{{"type", "Ready"}, {"status", "True"}}};
    });
  });
  EXPECT_EQ(Crisp({"wait", "pod/web", "--for=condition=ready"}).out, "pod/web condition met\n");
  later.join();
  EXPECT_EQ(Crisp({"wait", "pod/web", "--for=jsonpath={.status.phase}=Running"}).code, 0);
  const Result late = Crisp({"wait", "pod/web", "--for=delete", "--timeout=50ms"});
  EXPECT_EQ(late.code, 1);
  EXPECT_EQ(late.err, "error: timed out waiting for the condition on pods/web\n");
  EXPECT_EQ(Crisp({"wait", "pod/gone", "--for=delete"}).code, 0);
  EXPECT_EQ(Crisp({"wait", "pod/gone", "--for=condition=Ready"}).code, 1);
  EXPECT_THAT(Crisp({"wait", "pod/web", "--for=tea"}).err, HasSubstr("unrecognized condition"));
}

TEST_F(CliTest, ImportAndVersion) {
  EXPECT_EQ(Crisp({"import", "-", "--name", "app:1"}, "bytes").out,
            "image/app:1 imported (sha256:5)\n");
  EXPECT_THAT(Crisp({"import", "/nonexistent"}).err, HasSubstr("cannot be read"));
  EXPECT_EQ(Crisp({"version"}).out,
            "Client Version: 0.1.0\nAgent Version: 0.1.0\nRuntime Version: crisp 0.1.0\n");
}

TEST_F(CliTest, ApiResources) {
  EXPECT_THAT(Crisp({"api-resources"}).out, HasSubstr("pods                     po           v1"));
}

TEST_F(CliTest, DoctorChecksTheNode) {
  const Result result = Crisp({"doctor"});
  EXPECT_THAT(result.out, HasSubstr("kernel "));
  EXPECT_THAT(result.out, HasSubstr("ok     agent"));
  EXPECT_THAT(result.out, HasSubstr("ok     runtime           crisp 0.1.0 at unix:"));
}

TEST_F(CliTest, NoAgentSaysHowToStartOne) {
  std::istringstream in;
  std::ostringstream out, err;
  EXPECT_EQ(
      RunCli({"get", "pods", "--agent", "/nonexistent/a.sock"}, {in, out, err}, Clock::Real()), 1);
  EXPECT_EQ(
      err.str(),
      "error: no agent answers at unix:///nonexistent/a.sock (ENOENT): start one with "
      "\"systemctl start crisp-agent\" or \"crisp agent\", or name its socket with --agent or "
      "CRISP_AGENT\n");
}

TEST_F(CliTest, HelpTeaches) {
  std::istringstream in;
  for (const char* verb :
       {"apply", "create", "delete", "get", "describe", "logs", "exec", "attach", "port-forward",
        "scale", "rollout", "label", "events", "top", "wait", "import", "doctor", "completion"}) {
    std::ostringstream out, err;
    EXPECT_EQ(RunCli({verb, "--help"}, {in, out, err}, Clock::Real()), 0);
    EXPECT_THAT(out.str(), HasSubstr("Example")) << verb;
    EXPECT_THAT(out.str(), HasSubstr(" crisp ")) << verb;
    EXPECT_THAT(out.str(), Not(HasSubstr("WORDS"))) << verb;
  }
  std::ostringstream out, err;
  EXPECT_EQ(RunCli({}, {in, out, err}, Clock::Real()), 0);
  EXPECT_THAT(out.str(), HasSubstr("crisp apply -f pod.yaml"));
  std::ostringstream bad_out, bad_err;
  EXPECT_EQ(RunCli({"get", "pods", "--nope"}, {in, bad_out, bad_err}, Clock::Real()), 1);
  EXPECT_THAT(bad_err.str(), HasSubstr("see crisp get --help"));
}

TEST_F(CliTest, Completion) {
  agent_.Add(Pod("web"));
  agent_.Add(Pod("worker"));
  AddContainer("web", {.name = "main"});
  ::setenv("CRISP_AGENT", agent_.address().c_str(), 1);
  const auto complete = [](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    std::istringstream in;
    std::ostringstream out, err;
    EXPECT_EQ(RunCli(words, {in, out, err}, Clock::Real()), 0);
    return out.str();
  };
  EXPECT_EQ(complete({"des"}), "describe\n");
  EXPECT_EQ(complete({"get", "po"}), "pods\n");
  EXPECT_EQ(complete({"get", "pods", "w"}), "web\nworker\n");
  EXPECT_EQ(complete({"delete", "pod/we"}), "pod/web\n");
  EXPECT_EQ(complete({"exec", "-it", "wor"}), "worker\n");
  EXPECT_EQ(complete({"logs", "web", "-c", ""}), "main\n");
  EXPECT_EQ(complete({"get", "pods", "-n", ""}), "default\n");
  EXPECT_EQ(complete({"apply", "-f", "x"}), ":files\n");
  EXPECT_EQ(complete({"rollout", "re"}), "restart\nresume\n");
  ::unsetenv("CRISP_AGENT");
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(Crisp({"completion", shell}).out, HasSubstr("crisp __complete"));
  }
}

}  // namespace
}  // namespace crisp::cli
