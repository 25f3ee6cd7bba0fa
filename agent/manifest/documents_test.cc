#include "agent/manifest/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "agent/manifest/pod_reader.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

absl::StatusOr<std::vector<Document>> LoadTestdata(const std::string& name) {
  std::istringstream none;
  return LoadDocuments({"agent/testdata/" + name}, none);
}

// A pod whose only container has `fields` besides name and image.
std::string PodWith(const std::string& fields, const std::string& spec = "") {
  return absl::StrCat(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[)"
      R"({"name":"c","image":"busybox")",
      fields.empty() ? "" : ",", fields, "}]", spec.empty() ? "" : ",", spec, "}}");
}

absl::StatusOr<Pod> ReadOne(const std::string& text) {
  CRISP_ASSIGN_OR_RETURN(auto documents, ParseDocuments("pod.yaml", text));
  return std::get<Pod>(documents.at(0).object);
}

TEST(DocumentsTest, PodManifestsLoad) {
  ASSERT_OK_AND_ASSIGN(const auto env, LoadTestdata("env-configmapkeyref.yaml"));
  ASSERT_THAT(env, SizeIs(2));
  const Pod& pod = std::get<Pod>(env[1].object);
  EXPECT_EQ(pod.restart_policy, "Never");
  EXPECT_EQ(pod.containers[0].env[0].key->name, "configmap");
  EXPECT_EQ(pod.containers[0].env[1].key->key, "dir");

  ASSERT_OK_AND_ASSIGN(const auto from, LoadTestdata("envfrom.yaml"));
  EXPECT_EQ(std::get<Pod>(from[1].object).containers[0].env_from[0].name, "configmap");
  ASSERT_OK_AND_ASSIGN(const auto nginx, LoadTestdata("static-pod-nginx.yaml"));
  EXPECT_EQ(std::get<Pod>(nginx[0].object).containers[0].ports[0].container_port, 80);
  ASSERT_OK_AND_ASSIGN(const auto tomcat, LoadTestdata("tomcat-pod.yaml"));
  const Pod& with_volumes = std::get<Pod>(tomcat[1].object);
  EXPECT_EQ(with_volumes.volumes[0]["configMap"]["items"][0]["mode"], 0644);
  EXPECT_EQ(with_volumes.containers[0].volume_mounts[0]["subPath"], "server.xml");
}

TEST(DocumentsTest, DeploymentsAreNamedNotSkipped) {
  for (const char* name :
       {"deployment-nginx.yaml", "deployment-nginx-tomcat.yaml", "deployment-replicas.yaml",
        "node-selector.yaml", "probe-exec.yaml", "probe-http.yaml", "probe-tcp.yaml",
        "volume-subpath.yaml", "volume-subpath-items.yaml"}) {
    EXPECT_THAT(
        LoadTestdata(name),
        StatusIs(absl::StatusCode::kUnimplemented,
                 HasSubstr("kind Deployment of apps/v1: only Pod, ConfigMap and Secret of v1")))
        << name;
  }
  EXPECT_THAT(LoadTestdata("deployment-nginx.yaml"),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr("deployment-nginx.yaml: Deployment/nginx-deployment: ")));
}

TEST(DocumentsTest, EveryFieldIsReadOrNamed) {
  const struct {
    std::string text;
    std::string why;
  } cases[] = {
      {PodWith(R"("volumeDevices":[{"name":"d"}])"),
       "pod.yaml: Pod/web: spec.containers[0].volumeDevices: not supported yet"},
      {PodWith("", R"("readinessGates":[])"),
       "pod.yaml: Pod/web: spec.readinessGates: not supported yet"},
      {PodWith(R"("imagePullPolcy":"Never")"),
       "unknown field \"spec.containers[0].imagePullPolcy\"; did you mean \"imagePullPolicy\"?"},
      {R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"contaners":[]}})",
       "unknown field \"spec.contaners\"; did you mean \"containers\"?"},
      {R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},)"
       R"("spec":{"containers":[{"name":"c","imag":"b"}]}})",
       "unknown field \"spec.containers[0].imag\"; did you mean \"image\"?"},
      {PodWith(R"("zzz":1)"), "strict decoding error: unknown field \"spec.containers[0].zzz\""},
      {PodWith(R"("imagePullPolicy":"Sometimes")"),
       "Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", "
       "\"Never\""},
      {PodWith(R"("env":[{"name":"A","value":5}])"),
       "spec.containers[0].env[0].value: Invalid value: 5: must be text, not a number (quote it: "
       "\"5\")"},
      {PodWith(R"("env":[{"name":"A=B"}])"),
       "env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist"},
      {PodWith(
           R"("env":[{"name":"A","value":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}])"),
       "may not be specified when `value` is not empty"},
      {PodWith(R"("env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"spec.foo"}}}])"),
       "fieldPath: Invalid value: \"spec.foo\": must be a field"},
      {PodWith(R"("env":[{"name":"A","valueFrom":{"resourceFieldRef":{}}}])"),
       "valueFrom.resourceFieldRef.resource: Required value"},
      {PodWith(R"("envFrom":[{}])"), "must specify one of: `configMapRef` or `secretRef`"},
      {PodWith(R"("ports":[{"containerPort":70000}])"),
       "Invalid value: 70000: must be between 1 and 65535, inclusive"},
      {PodWith(R"("volumeMounts":[{"name":"v","mountPath":"/x"}])"),
       "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
      {PodWith(R"("volumeMounts":[{"name":"v","mountPath":"/x","subPath":"../y"}])",
               R"("volumes":[{"name":"v","emptyDir":{}}])"),
       "subPath: Invalid value: \"../y\": must not contain '..'"},
      {PodWith("", R"("volumes":[{"name":"v","configMap":{"name":"m","item":[]}}])"),
       "unknown field \"spec.volumes[0].configMap.item\"; did you mean \"items\"?"},
      {PodWith("", R"("volumes":[{"name":"v","nfs":{"server":"s"}}])"),
       "spec.volumes[0].nfs: not supported yet"},
      {PodWith("", R"("volumes":[{"name":"v"}])"),
       "spec.volumes[0]: Required value: must specify a volume type"},
      {PodWith("", R"("volumes":[{"name":"v","emptyDir":{}},{"name":"v","emptyDir":{}}])"),
       "spec.volumes[1].name: Duplicate value: \"v\""},
      {PodWith(R"("resources":{"limits":{"memory":"1XB"}})"),
       "spec.containers[0].resources.limits[memory]: Invalid value: \"1XB\": "},
      {PodWith(R"("resources":{"limits":{"cpus":"1"}})"),
       "limits[cpus]: Invalid value: \"cpus\": must be a standard resource for containers"},
      {PodWith(R"("resources":{"limits":{"example.com/gpu":1}})"),
       "resources.limits[example.com/gpu]: not supported yet"},
      {PodWith(R"("ports":[{"name":"a","containerPort":1},{"name":"a","containerPort":2}])"),
       "spec.containers[0].ports[1].name: Duplicate value: \"a\""},
      {PodWith(R"("resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}})"),
       "resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
      {PodWith(
           R"("securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"../x"}})"),
       "must be a relative path"},
      {PodWith(R"("securityContext":{"runAsUser":-1})"),
       "runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"},
      {PodWith(R"("command":["a",1])"),
       "spec.containers[0].command[1]: Invalid value: 1: must be text"},
      {PodWith(R"("command":["a\u0000b"])"), "command[0]: Invalid value: holds a NUL byte"},
      {PodWith("", R"("dnsPolicy":"None")"), "must provide at least one DNS nameserver"},
      {R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"Web"},"spec":{}})", "metadata.name"},
      {R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{}})",
       "spec.containers: Required value"},
      {R"({"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"web-"}})",
       "metadata.name: Required value: name or generateName is required"},
      {R"({"apiVersion":"v1","metadata":{"name":"web"}})", "pod.yaml: kind: is required"},
      {"[]", "pod.yaml: must be a map, not a list"},
      {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: {a: yes}\n",
       "ConfigMap/m: data[a]: Invalid value: true: must be text, not a boolean (quote it: "
       "\"true\")"},
      {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: {..x: y}\n",
       "ConfigMap/m: data[..x]: Invalid value: \"..x\": must not start with '..'"},
      {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: {a b: y}\n",
       "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric"},
      {"kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: {a: y}\nbinaryData: {a: "
       "eA==}\n",
       "binaryData: Invalid value: \"a\": the key stands in data too"},
      {"kind: Secret\napiVersion: v1\nmetadata: {name: s}\ndata: {a: '***'}\n",
       "Secret/s: data[a]: Invalid value: must be base64"},
      {absl::StrCat(PodWith(""), "\n---\nkind: Foo\napiVersion: v1\n"),
       "pod.yaml: document 2: Foo"},
  };
  for (const auto& test : cases) {
    const auto result = ParseDocuments("pod.yaml", test.text);
    ASSERT_FALSE(result.ok()) << test.text;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(test.why)) << test.text;
  }
}

TEST(DocumentsTest, EveryErrorOfAnObjectIsTold) {
  const auto result = ParseDocuments(
      "pod.yaml", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"Web","labels":{"a b":"c"}},
        "spec":{"restartPolicy":"Sometimes","containers":[
          {"image":"b","ports":[{"containerPort":0},{"containerPort":70000}]},
          {"name":"c","volumeMounts":[{"name":"v","mountPath":"x"}],"livenessProbe":{},
           "resources":{"limits":{"memory":"1XB"}}}],
         "volumes":[{"name":"w","nfs":{}}]}})");
  ASSERT_FALSE(result.ok());
  const std::vector<std::string> order = {
      "pod.yaml: Pod/Web: [metadata.name: Invalid value: \"Web\": a lowercase RFC 1123",
      "metadata.labels: Invalid value: \"a b\": name part must",
      "spec.volumes[0].nfs: Forbidden: not supported yet",
      "spec.containers[0].name: Required value",
      "spec.containers[0].ports[0].containerPort: Required value",
      "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between",
      "spec.containers[1].image: Required value",
      "spec.containers[1].volumeMounts[0].name: Not found: \"v\"",
      "spec.containers[1].volumeMounts[0].mountPath: Invalid value: \"x\": must be an absolute",
      "spec.containers[1].resources.limits[memory]: Invalid value: \"1XB\": ",
      "spec.containers[1].livenessProbe: Required value: must specify a handler type",
      "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: "};
  const std::string all(result.status().message());
  size_t from = 0;
  for (const std::string& error : order) {
    const size_t at = all.find(error, from);
    ASSERT_NE(at, std::string::npos) << error << "\nin " << all;
    from = at + error.size();
  }
}

TEST(DocumentsTest, UnknownFieldsAreToldTogetherAndAlone) {
  EXPECT_THAT(ParseDocuments("pod.yaml", PodWith(R"("imag":"x","ports":[{"zzz":1}])",
                                                 R"("restartPolicy":"Sometimes")")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "pod.yaml: Pod/web: strict decoding error: unknown field "
                       "\"spec.containers[0].ports[0].zzz\", unknown field "
                       "\"spec.containers[0].imag\"; did you mean \"image\"?"));
}

TEST(DocumentsTest, ErrorsHaveBounds) {
  std::string containers;
  for (int i = 0; i < 1000; ++i) {
    absl::StrAppend(&containers, i > 0 ? "," : "", R"({"name":"c)", i, R"(","image":5})");
  }
  const auto many = ParseDocuments(
      "pod.yaml", absl::StrCat(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},)",
                               R"("spec":{"containers":[)", containers, "]}}"));
  ASSERT_FALSE(many.ok());
  EXPECT_THAT(std::string(many.status().message()), HasSubstr(", and 936 more errors]"));
  const auto large =
      ParseDocuments("pod.yaml", PodWith(absl::StrCat("\"", std::string(1 << 20, 'x'), "\":1")));
  ASSERT_FALSE(large.ok());
  EXPECT_LT(large.status().message().size(), 2000u);
}

TEST(DocumentsTest, TextOfASecretIsNotInAMessage) {
  for (const char* data : {"stringData: {pin: 123456}", "stringData: s123456", "data: {a: 123456}",
                           "stringData: [123456]", "data: {a: '123456*'}"}) {
    const auto result = ParseDocuments(
        "s", absl::StrCat("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", data, "\n"));
    ASSERT_FALSE(result.ok()) << data;
    EXPECT_EQ(result.status().message().find("123456"), absl::string_view::npos) << result.status();
  }
}

TEST(DocumentsTest, ReadsEveryFieldThatIsCarriedOut) {
  ASSERT_OK_AND_ASSIGN(
      const Pod pod,
      ReadOne(PodWith(
          R"("command":["sh"],"args":["-c","x"],"workingDir":"/w","imagePullPolicy":"Never",
             "env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"s","key":"k","optional":true}}}],
             "envFrom":[{"prefix":"P_","secretRef":{"name":"s","optional":true}}],
             "ports":[{"containerPort":80,"hostPort":8080,"hostIP":"127.0.0.1","protocol":"UDP","name":"n"}],
             "resources":{"limits":{"cpu":0.5,"memory":"64Mi"},"requests":{"cpu":"250m"}},
             "securityContext":{"runAsUser":1000,"privileged":false,"capabilities":{"add":["NET_ADMIN"],"drop":["ALL"]},"procMount":"Unmasked"},
             "stdin":true,"stdinOnce":true,"tty":true)",
          R"("hostNetwork":false,"hostPID":false,"shareProcessNamespace":true,"hostname":"h",
             "dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"],"options":[{"name":"ndots","value":"2"}]},
             "securityContext":{"fsGroup":7,"supplementalGroups":[8],"sysctls":[{"name":"net.core.somaxconn","value":"99"}]},
             "runtimeClassName":"runc","terminationGracePeriodSeconds":3,"restartPolicy":"Never",
             "initContainers":[{"name":"i","image":"b"}])")));
  const Container& c = pod.containers[0];
  EXPECT_EQ(c.env[1].key->kind, ObjectKind::kSecret);
  EXPECT_TRUE(c.env[1].key->optional);
  EXPECT_EQ(c.env_from[0].prefix, "P_");
  EXPECT_EQ(c.ports[0].protocol, "UDP");
  EXPECT_EQ(c.resources.cpu_limit_milli, 500);
  EXPECT_EQ(c.resources.cpu_request_milli, 250);
  EXPECT_EQ(c.resources.memory_limit_bytes, 64 << 20);
  EXPECT_EQ(c.security.run_as_user, 1000);
  EXPECT_TRUE(c.security.unmasked_proc);
  EXPECT_TRUE(c.tty && c.stdin_open && c.stdin_once);
  EXPECT_THAT(pod.dns.options, ElementsAre("ndots:2"));
  EXPECT_EQ(pod.security.fs_group, 7);
  EXPECT_THAT(pod.security.sysctls, ElementsAre(Pair("net.core.somaxconn", "99")));
  EXPECT_EQ(pod.termination_grace_period_seconds, 3);
  EXPECT_EQ(pod.init_containers[0].name, "i");
}

TEST(DocumentsTest, AUserNamespaceExcludesTheHostsOthers) {
  ASSERT_OK_AND_ASSIGN(Pod pod, ReadOne(PodWith("")));
  EXPECT_TRUE(pod.host_users);
  ASSERT_OK_AND_ASSIGN(pod, ReadOne(PodWith("", R"("hostUsers":true,"hostNetwork":true)")));
  EXPECT_TRUE(pod.host_users);
  ASSERT_OK_AND_ASSIGN(pod, ReadOne(PodWith("", R"("hostUsers":false)")));
  EXPECT_FALSE(pod.host_users);
  const auto refused =
      ReadOne(PodWith("", R"("hostUsers":false,"hostNetwork":true,"hostPID":true,"hostIPC":true)"));
  ASSERT_FALSE(refused.ok());
  for (const char* field : {"hostNetwork", "HostPID", "HostIPC"}) {
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr(absl::StrCat("spec.", field, ": Forbidden: when `hostUsers` is false")));
  }
  const auto devices = ReadOne(PodWith(R"("volumeDevices":[])", R"("hostUsers":false)"));
  ASSERT_FALSE(devices.ok());
  EXPECT_THAT(std::string(devices.status().message()),
              HasSubstr("spec.containers[0].volumeDevices: not supported yet"));
}

TEST(DocumentsTest, ProbesHooksAndPlacement) {
  ASSERT_OK_AND_ASSIGN(
      const Pod pod,
      ReadOne(PodWith(
          R"("livenessProbe":{"httpGet":{"port":"web","path":"/z","scheme":"HTTPS","httpHeaders":[{"name":"X-A","value":"b"}]},
               "initialDelaySeconds":3,"periodSeconds":2,"timeoutSeconds":4,"failureThreshold":5,"terminationGracePeriodSeconds":6},
             "readinessProbe":{"tcpSocket":{"port":80},"successThreshold":2},
             "startupProbe":{"grpc":{"port":9000,"service":"s"},"periodSeconds":0},
             "lifecycle":{"postStart":{"exec":{"command":["a"]}},"preStop":{"sleep":{"seconds":2}}},
             "terminationMessagePath":"","terminationMessagePolicy":"FallbackToLogsOnError",
             "resizePolicy":[])",
          R"("hostAliases":[{"ip":"10.0.0.1","hostnames":["a","b.c"]}],"nodeSelector":{"disk":"ssd"},
             "nodeName":"n1","activeDeadlineSeconds":30,
             "initContainers":[{"name":"log","image":"b","restartPolicy":"Always",
               "startupProbe":{"exec":{"command":["true"]}}}])")));
  const Container& c = pod.containers[0];
  const auto& http = std::get<HttpGetAction>(c.liveness->action);
  EXPECT_EQ(http.port.name, "web");
  EXPECT_EQ(http.scheme, "HTTPS");
  EXPECT_THAT(http.headers, ElementsAre(Pair("X-A", "b")));
  EXPECT_EQ(c.liveness->initial_delay_seconds, 3);
  EXPECT_EQ(c.liveness->failure_threshold, 5);
  EXPECT_EQ(c.liveness->termination_grace_period_seconds, 6);
  EXPECT_EQ(std::get<TcpSocketAction>(c.readiness->action).port.number, 80);
  EXPECT_EQ(c.readiness->period_seconds, 10);
  EXPECT_EQ(c.readiness->success_threshold, 2);
  EXPECT_EQ(std::get<GrpcAction>(c.startup->action).service, "s");
  EXPECT_EQ(c.startup->period_seconds, 10);
  EXPECT_EQ(std::get<SleepAction>(c.pre_stop->action).seconds, 2);
  EXPECT_EQ(c.termination_message_path, "/dev/termination-log");
  EXPECT_TRUE(pod.init_containers[0].is_sidecar());
  EXPECT_THAT(pod.host_aliases[0].hostnames, ElementsAre("a", "b.c"));
  EXPECT_THAT(pod.node_selector, ElementsAre(Pair("disk", "ssd")));
  EXPECT_EQ(pod.node_name, "n1");
  EXPECT_EQ(pod.active_deadline_seconds, 30);
}

TEST(DocumentsTest, ProbesAndHooksThatCannotBe) {
  const struct {
    std::string fields, spec, why;
  } cases[] = {
      {R"("livenessProbe":{})", "",
       "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
      {R"("livenessProbe":{"tcpSocket":{"port":1},"exec":{"command":["a"]}})", "",
       "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"},
      {R"("livenessProbe":{"tcpSocket":{"port":0}})", "",
       "tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive"},
      {R"("livenessProbe":{"httpGet":{"port":"a_b"}})", "", "httpGet.port: Invalid value: \"a_b\""},
      {R"("livenessProbe":{"httpGet":{"port":1,"scheme":"FTP"}})", "",
       "Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\""},
      {R"("livenessProbe":{"exec":{}})", "", "livenessProbe.exec.command: Required value"},
      {R"("livenessProbe":{"tcpSocket":{"port":1},"successThreshold":2})", "",
       "successThreshold: Invalid value: 2: must be 1"},
      {R"("livenessProbe":{"tcpSocket":{"port":1},"periodSeconds":-1})", "",
       "periodSeconds: Invalid value: -1: must be greater than or equal to 0"},
      {R"("readinessProbe":{"tcpSocket":{"port":1},"terminationGracePeriodSeconds":2})", "",
       "must not be set for readinessProbes"},
      {R"("lifecycle":{"preStop":{}})", "", "preStop: Required value: must specify a handler type"},
      {R"("restartPolicy":"Always")", "",
       "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"},
      {"",
       R"("initContainers":[{"name":"i","image":"b","lifecycle":{"preStop":{"sleep":{"seconds":1}}}}])",
       "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers"},
      {"", R"("hostAliases":[{"ip":"x"}])", "must be a valid IP address"},
      {"", R"("nodeSelector":{"a b":"c"})", "name part must consist of"},
      {"", R"("hostUsers":"no")", "spec.hostUsers: Invalid value: \"no\": must be "},
  };
  for (const auto& test : cases) {
    const auto result = ParseDocuments("pod.yaml", PodWith(test.fields, test.spec));
    ASSERT_FALSE(result.ok()) << test.fields << test.spec;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(test.why));
  }
}

TEST(DocumentsTest, FieldsWithoutEffectAreWarnings) {
  std::vector<std::string> warnings;
  const auto json = nlohmann::json::parse(
      PodWith("", R"("priorityClassName":"high","tolerations":[{"operator":"Exists"}],
                     "topologySpreadConstraints":[],"serviceAccountName":"default",
                     "imagePullSecrets":[{"name":"s"},{}])"));
  EXPECT_OK(ReadPod(json, &warnings));
  EXPECT_THAT(warnings, ElementsAre("spec.imagePullSecrets[1]: invalid empty name \"\"",
                                    HasSubstr("spec.priorityClassName: has no effect")));
}

TEST(DocumentsTest, WhatKubectlExportsIsAccepted) {
  ASSERT_OK_AND_ASSIGN(
      const auto documents,
      ParseDocuments("list",
                     "apiVersion: v1\nkind: List\nitems:\n"
                     "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: x, "
                     "creationTimestamp: null, resourceVersion: '3'}, data: {k: v}}\n"
                     "- {apiVersion: v1, kind: Secret, metadata: {name: b}, type: Opaque, "
                     "data: {k: aGk=}, stringData: {t: plain}}\n"));
  ASSERT_THAT(documents, SizeIs(2));
  const auto& secret = std::get<volumes::v1::Secret>(documents[1].object);
  EXPECT_EQ(secret.data().at("k"), "hi");
  EXPECT_EQ(secret.data().at("t"), "plain");
}

TEST(DocumentsTest, SourcesThatCannotBeRead) {
  std::istringstream in(PodWith(""));
  EXPECT_OK(LoadDocuments({"-"}, in));
  std::istringstream none;
  EXPECT_THAT(LoadDocuments({"/nonexistent/x.yaml"}, none),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/x.yaml")));
  EXPECT_THAT(LoadDocuments({"-"}, none),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no objects")));
}

}  // namespace
}  // namespace crisp::agent
