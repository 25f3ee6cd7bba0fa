#include "agent/objects/validation.h"

#include "agent/objects/defaults.h"
#include "agent/objects/test_store.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

absl::Status Check(const std::string& yaml, std::vector<std::string>* warnings = nullptr) {
  Json object = FromYaml(yaml);
  SetDefaults(&object);
  return ValidateObject(object, warnings);
}

std::string Deployment(const std::string& spec, const std::string& pod = "") {
  return R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: busybox}]
)" + pod +
         "\n" + spec;
}

std::string Job(const std::string& spec, const std::string& pod) {
  return R"(
apiVersion: batch/v1
kind: Job
metadata: {name: sum, namespace: default}
spec:
  selector: {matchLabels: {controller-uid: x}}
  template:
    metadata: {labels: {controller-uid: x}}
    spec:
      containers: [{name: c, image: busybox}]
)" + pod +
         "\n" + spec;
}

TEST(ValidationTest, PodsInKubernetesWords) {
  EXPECT_THAT(Check("{apiVersion: v1, kind: Pod, metadata: {name: web}, "
                    "spec: {containers: [{name: c}]}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Pod \"web\" is invalid: spec.containers[0].image: Required value"));
  EXPECT_THAT(Check("{apiVersion: v1, kind: Pod, metadata: {name: web}, "
                    "spec: {containers: [{name: c, image: b, imagePullPolcy: x}]}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("Pod in version \"v1\" cannot be handled as a Pod: strict "
                                 "decoding error: unknown field "
                                 "\"spec.containers[0].imagePullPolcy\"")));
  EXPECT_THAT(Check("{apiVersion: v1, kind: Pod, metadata: {name: Web_1}, "
                    "spec: {containers: [{name: c, image: b}]}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("metadata.name: Invalid value: \"Web_1\": a lowercase RFC 1123 "
                                 "subdomain must consist of")));
  EXPECT_THAT(Check("{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {'a b': c}}, "
                    "spec: {containers: [{name: c, image: b}]}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("metadata.labels: Invalid value: \"a b\": name part must")));
  EXPECT_THAT(
      Check("{apiVersion: v1, kind: Pod, metadata: {name: web}, "
            "spec: {readinessGates: [], containers: [{name: c, image: b}]}}"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "The Pod \"web\" is invalid: spec.readinessGates: Forbidden: not supported yet"));
}

TEST(ValidationTest, Affinities) {
  const auto check = [](const std::string& affinity, std::vector<std::string>* warnings = nullptr) {
    return Check("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {affinity: {" +
                     affinity + "}, containers: [{name: c, image: b}]}}",
                 warnings);
  };
  const std::string required = "requiredDuringSchedulingIgnoredDuringExecution";
  const std::string preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  EXPECT_OK(
      check("nodeAffinity: {" + preferred +
            ": [{weight: 5, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}"));
  EXPECT_OK(check("podAntiAffinity: {" + preferred +
                  ": [{weight: 5, podAffinityTerm: {topologyKey: zone, labelSelector: {}}}]}"));
  const struct {
    std::string affinity, why;
  } cases[] = {
      {"nodeAffinity: {" + required + ": {}}",
       "nodeSelectorTerms: Required value: must have at least one node selector term"},
      {"nodeAffinity: {" + required +
           ": {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Gt}]}]}}",
       "matchExpressions[0].values: Required value: must be specified single value when `operator` "
       "is 'Lt' or 'Gt'"},
      {"nodeAffinity: {" + required +
           ": {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Has}]}]}}",
       "matchExpressions[0].operator: Invalid value: \"Has\": not a valid selector operator"},
      {"nodeAffinity: {" + required +
           ": {nodeSelectorTerms: [{matchFields: [{key: spec.x, operator: In, values: [a]}]}]}}",
       "matchFields[0].key: Invalid value: \"spec.x\": not a valid field selector key"},
      {"nodeAffinity: {" + preferred + ": [{weight: 0, preference: {}}]}",
       "weight: Invalid value: 0: must be in the range 1-100"},
      {"podAffinity: {" + required + ": [{labelSelector: {}}]}",
       "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: "
       "Required value: can not be empty"},
      {"podAntiAffinity: {" + required + ": [{labelSelector: {}, topologyKey: zone}]}",
       "[0].topologyKey: Unsupported value: \"zone\": supported values: "
       "\"kubernetes.io/hostname\""},
      {"podAffinity: {" + required +
           ": [{topologyKey: kubernetes.io/hostname, matchLabelKeys: [a]}]}",
       "[0].matchLabelKeys: Forbidden: not supported yet"},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(check(test.affinity),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.why)));
  }
}

TEST(ValidationTest, AllErrorsAsKubectlPrintsThem) {
  EXPECT_THAT(Check("{apiVersion: v1, kind: Pod, metadata: {name: web}, "
                    "spec: {readinessGates: [], containers: [{name: c}, {image: b}]}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Pod \"web\" is invalid: \n"
                       "* spec.containers[0].image: Required value\n"
                       "* spec.containers[1].name: Required value\n"
                       "* spec.readinessGates: Forbidden: not supported yet"));
  EXPECT_THAT(Check("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Secret \"s\" is invalid: \n"
                       "* data[tls.crt]: Required value\n"
                       "* data[tls.key]: Required value"));
  EXPECT_THAT(Check("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: "
                    "{replicas: -1, template: {spec: {containers: [{name: c}]}}}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The ReplicaSet \"web\" is invalid: \n"
                       "* spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
                       "* spec.template.spec.containers[0].image: Required value\n"
                       "* spec.selector: Required value"));
}

TEST(ValidationTest, NothingOfAWrongShapeGetsThrough) {
  for (const char* spec :
       {"5", "[]", "{containers: 5}", "{containers: [5]}", "{containers: [[]]}",
        "{containers: [{name: 5, image: b}]}", "{containers: [{name: c, image: b, ports: [7]}]}",
        "{containers: [{name: c, image: b, resources: [1]}]}",
        "{containers: [{name: c, image: b}], volumes: {a: b}}",
        "{containers: [{name: c, image: b}], volumes: [5, {name: 5}]}",
        "{containers: [{name: c, image: b, volumeMounts: [5, {name: 5, mountPropagation: 5}]}]}",
        "{containers: [{name: c, image: b, volumeMounts: 5, securityContext: 5}]}",
        "{containers: [{name: c, image: b, livenessProbe: 3}]}"}) {
    EXPECT_THAT(Check(std::string("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: ") +
                      spec + "}"),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << spec;
  }
}

TEST(ValidationTest, ControllersAndTheirTemplates) {
  EXPECT_OK(Check(Deployment("")));
  const struct {
    std::string yaml, why;
  } cases[] = {
      {Deployment("  replicas: -1"),
       "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than "
       "or equal to 0"},
      {Deployment("", "      restartPolicy: Never"),
       "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
       "\"Always\""},
      {Deployment("", "      activeDeadlineSeconds: 5"),
       "activeDeadlineSeconds in Deployment is not Supported"},
      {Deployment("  strategy: {type: Recreate, rollingUpdate: {}}"),
       "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
       "'Recreate'"},
      {Deployment("  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
       "may not be 0 when `maxSurge` is 0"},
      {Deployment("  strategy: {rollingUpdate: {maxSurge: 'x%'}}"), "a valid percent string"},
      {Deployment("  minReadySeconds: 700"), "must be greater than minReadySeconds"},
      {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: {template: {spec: "
       "{containers: [{name: c, image: b}]}}}}",
       "spec.selector: Required value"},
      {"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector: "
       "{matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: [{name: "
       "c, image: b}]}}}}",
       "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match "
       "template `labels`"},
      {"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: web}, spec: {selector: {}, "
       "template: {spec: {containers: [{name: c, image: b}]}}}}",
       "empty selector is invalid for daemonset"},
      {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web}, spec: {selector: "
       "{matchExpressions: [{key: a, operator: In}]}, template: {spec: {containers: [{name: c, "
       "image: b}]}}}}",
       "spec.selector.matchExpressions[0].values: Required value: must be specified"},
      {Job("", ""),
       "The Job \"sum\" is invalid: spec.template.spec.restartPolicy: Required value: valid "
       "values: \"OnFailure\", \"Never\""},
      {Job("  completionMode: Indexed\n  parallelism: 2", "      restartPolicy: Never"),
       "The Job \"sum\" is invalid: spec.completions: Required value: when completion mode is "
       "Indexed"},
      {Job("  completionMode: Sometimes", "      restartPolicy: Never"),
       "Unsupported value: \"Sometimes\": supported values: \"NonIndexed\", \"Indexed\""},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(Check(test.yaml),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(test.why)));
  }
  EXPECT_OK(Check(Job("", "      restartPolicy: OnFailure")));
}

TEST(ValidationTest, TemplatesWarnAsPodsDo) {
  std::vector<std::string> warnings;
  EXPECT_OK(Check(Deployment("", "      priorityClassName: high"), &warnings));
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("spec.template.spec.priorityClassName: has no effect")));
}

TEST(ValidationTest, DataHasBounds) {
  EXPECT_THAT(Check("{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {k: '" +
                    std::string((1 << 20) + 1, 'x') + "'}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The ConfigMap \"m\" is invalid: data: Too long: may not be more than "
                       "1048576 bytes"));
  EXPECT_THAT(Check("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, "
                    "stringData: {tls.crt: x}}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Secret \"s\" is invalid: data[tls.key]: Required value"));
}

TEST(ValidationTest, WhatMustNotChange) {
  Json deployment = FromYaml(Deployment(""));
  SetDefaults(&deployment);
  Json other = deployment;
  other["spec"]["selector"]["matchLabels"]["tier"] = "a";
  other["spec"]["template"]["metadata"]["labels"]["tier"] = "a";
  EXPECT_THAT(ValidateUpdate(deployment, other, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"web\","
                                 "\"tier\":\"a\"}}: field is immutable")));
  Json pod = FromYaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: "
      "b}]}}");
  SetDefaults(&pod);
  Json changed = pod;
  changed["spec"]["containers"][0]["args"] = {"x"};
  EXPECT_THAT(ValidateUpdate(pod, changed, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("spec: Forbidden: pod updates may not change fields other than")));
  EXPECT_THAT(ValidateUpdate(pod, changed, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.containers[0].args")));
  changed = pod;
  changed["spec"]["activeDeadlineSeconds"] = 5;
  EXPECT_OK(ValidateUpdate(pod, changed, nullptr));
  Json longer = changed;
  longer["spec"]["activeDeadlineSeconds"] = 6;
  EXPECT_THAT(ValidateUpdate(changed, longer, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Pod \"web\" is invalid: spec.activeDeadlineSeconds: Invalid value: 6: "
                       "must be less than or equal to previous value"));
  EXPECT_THAT(ValidateUpdate(changed, pod, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must not update from a positive integer to nil value")));
  changed = pod;
  changed["spec"]["containers"][0]["image"] = "b:2";
  EXPECT_OK(ValidateUpdate(pod, changed, nullptr));
  changed["spec"]["containers"][0]["image"] = "";
  EXPECT_THAT(ValidateUpdate(pod, changed, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "The Pod \"web\" is invalid: spec.containers[0].image: Required value"));
  changed = pod;
  changed["spec"]["containers"].push_back({{"name", "d"}, {"image", "b"}});
  EXPECT_THAT(
      ValidateUpdate(pod, changed, nullptr),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "The Pod \"web\" is invalid: spec.containers: Forbidden: pod updates may not "
               "add or remove containers"));
  changed = pod;
  changed["spec"]["tolerations"] = {{{"key", "a"}}};
  EXPECT_OK(ValidateUpdate(pod, changed, nullptr));
  EXPECT_THAT(ValidateUpdate(changed, pod, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("spec.tolerations: Forbidden: existing toleration can not be")));
  Json patient = changed;
  patient["spec"]["tolerations"][0]["tolerationSeconds"] = 5;
  EXPECT_OK(ValidateUpdate(changed, patient, nullptr));
  changed = pod;
  changed["spec"]["terminationGracePeriodSeconds"] = 1;
  EXPECT_THAT(ValidateUpdate(pod, changed, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("spec.terminationGracePeriodSeconds differs")));
  Json negative = pod;
  negative["spec"]["terminationGracePeriodSeconds"] = -7;
  EXPECT_OK(ValidateUpdate(negative, changed, nullptr));

  const Json map = FromYaml(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, immutable: true, data: {k: v}}");
  Json new_map = map;
  new_map["data"]["k"] = "w";
  EXPECT_THAT(ValidateUpdate(map, new_map, nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("field is immutable when `immutable` is set")));
}

TEST(DefaultsTest, AsAnApiServerFillsThemIn) {
  Json pod = FromYaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  hostNetwork: true
  containers:
  - name: a
    image: registry:5000/busybox
    ports: [{containerPort: 80}]
    resources: {limits: {cpu: 1, memory: 1Mi}, requests: {cpu: 500m}}
    readinessProbe: {httpGet: {port: 80}}
    env: [{name: N, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
  - {name: b, image: 'busybox:1'}
  - {name: c, image: 'busybox@sha256:0123'}
  - {name: d, image: 'busybox:latest'}
  volumes: [{name: v}, {name: m, configMap: {name: m}}]
)");
  SetDefaults(&pod);
  const Json& spec = pod["spec"];
  EXPECT_EQ(spec["restartPolicy"], "Always");
  EXPECT_EQ(spec["terminationGracePeriodSeconds"], 30);
  const Json& a = spec["containers"][0];
  EXPECT_EQ(a["imagePullPolicy"], "Always");
  EXPECT_EQ(a["ports"][0]["hostPort"], 80);
  EXPECT_EQ(a["ports"][0]["protocol"], "TCP");
  EXPECT_EQ(a["resources"]["requests"]["cpu"], "500m");
  EXPECT_EQ(a["resources"]["requests"]["memory"], "1Mi");
  EXPECT_EQ(a["readinessProbe"]["failureThreshold"], 3);
  EXPECT_EQ(a["readinessProbe"]["httpGet"]["scheme"], "HTTP");
  EXPECT_EQ(a["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
  EXPECT_EQ(spec["containers"][1]["imagePullPolicy"], "IfNotPresent");
  EXPECT_EQ(spec["containers"][2]["imagePullPolicy"], "IfNotPresent");
  EXPECT_EQ(spec["containers"][3]["imagePullPolicy"], "Always");
  EXPECT_EQ(spec["volumes"][0]["emptyDir"], Json::object());
  EXPECT_EQ(spec["volumes"][1]["configMap"]["defaultMode"], 420);
  const Json once = pod;
  SetDefaults(&pod);
  EXPECT_EQ(pod, once);
  EXPECT_OK(ValidateObject(pod, nullptr));

  Json controller = FromYaml(
      "{apiVersion: v1, kind: ReplicationController, metadata: {name: web}, spec: {template: "
      "{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: b}]}}}}");
  SetDefaults(&controller);
  EXPECT_EQ(controller["spec"]["selector"]["a"], "b");
  EXPECT_EQ(controller["spec"]["replicas"], 1);
  Json secret = FromYaml(
      "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: eA==}, stringData: {a: hi}}");
  SetDefaults(&secret);
  EXPECT_EQ(secret["data"]["a"], "aGk=");
  EXPECT_FALSE(secret.contains("stringData"));
}

}  // namespace
}  // namespace crisp::agent
