#include "agent/objects/defaults.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {
namespace {

constexpr int kDefaultMode = 0644;

// Sets a field of an object that does not have it.
void Default(Json* object, const char* field, const Json& value) {
  if (!object->is_object()) return;
  const auto found = object->find(field);
  if (found == object->end() || found->is_null()) (*object)[field] = value;
}

// As Default, and for text that is empty or a number that is 0.
void DefaultIfZero(Json* object, const char* field, const Json& value) {
  if (!object->is_object()) return;
  const auto found = object->find(field);
  const bool zero = found == object->end() || found->is_null() || *found == "" ||
                    (found->is_number() && *found == 0);
  if (zero) (*object)[field] = value;
}

// The field if it is an object, else null.
Json* Object(Json* object, const char* field) {
  if (!object->is_object()) return nullptr;
  const auto found = object->find(field);
  return found != object->end() && found->is_object() ? &*found : nullptr;
}

template <typename F>
void Each(Json* object, const char* field, F visit) {
  if (!object->is_object()) return;
  const auto found = object->find(field);
  if (found == object->end() || !found->is_array()) return;
  for (Json& item : *found) visit(&item);
}

// Images without a tag, or with "latest", are looked for each time; a digest never changes.
std::string PullPolicy(absl::string_view image) {
  if (absl::StrContains(image, '@')) return "IfNotPresent";
  const absl::string_view last = image.substr(image.rfind('/') + 1);  // npos + 1 == 0
  const size_t colon = last.find(':');
  const bool latest = colon == absl::string_view::npos || last.substr(colon + 1) == "latest";
  return latest ? "Always" : "IfNotPresent";
}

void SetActionDefaults(Json* action) {
  if (Json* http = Object(action, "httpGet")) {
    DefaultIfZero(http, "path", "/");
    DefaultIfZero(http, "scheme", "HTTP");
  }
  if (Json* grpc = Object(action, "grpc")) Default(grpc, "service", "");
}

void SetProbeDefaults(Json* container, const char* name) {
  Json* probe = Object(container, name);
  if (probe == nullptr) return;
  SetActionDefaults(probe);
  DefaultIfZero(probe, "timeoutSeconds", 1);
  DefaultIfZero(probe, "periodSeconds", 10);
  DefaultIfZero(probe, "successThreshold", 1);
  DefaultIfZero(probe, "failureThreshold", 3);
}

void SetContainerDefaults(Json* container) {
  DefaultIfZero(container, "imagePullPolicy", PullPolicy(TextAt(*container, "image")));
  DefaultIfZero(container, "terminationMessagePath", "/dev/termination-log");
  DefaultIfZero(container, "terminationMessagePolicy", "File");
  Default(container, "resources", Json::object());
  Each(container, "ports", [](Json* port) { DefaultIfZero(port, "protocol", "TCP"); });
  Each(container, "env", [](Json* env) {
    Json* from = Object(env, "valueFrom");
    if (from == nullptr) return;
    if (Json* ref = Object(from, "fieldRef")) DefaultIfZero(ref, "apiVersion", "v1");
  });
  for (const char* probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    SetProbeDefaults(container, probe);
  }
  if (Json* lifecycle = Object(container, "lifecycle")) {
    for (const char* hook : {"postStart", "preStop"}) {
      if (Json* action = Object(lifecycle, hook)) SetActionDefaults(action);
    }
  }
}

void SetDownwardDefaults(Json* source) {
  Each(source, "items", [](Json* item) {
    if (Json* ref = Object(item, "fieldRef")) DefaultIfZero(ref, "apiVersion", "v1");
  });
}

void SetVolumeDefaults(Json* volume) {
  if (!volume->is_object()) return;
  if (volume->size() == 1 && volume->contains("name")) (*volume)["emptyDir"] = Json::object();
  for (const char* kind : {"configMap", "secret", "downwardAPI", "projected"}) {
    if (Json* source = Object(volume, kind)) Default(source, "defaultMode", kDefaultMode);
  }
  if (Json* source = Object(volume, "hostPath")) Default(source, "type", "");
  if (Json* source = Object(volume, "downwardAPI")) SetDownwardDefaults(source);
  if (Json* projected = Object(volume, "projected")) {
    Each(projected, "sources", [](Json* source) {
      if (Json* downward = Object(source, "downwardAPI")) SetDownwardDefaults(downward);
    });
  }
  if (Json* image = Object(volume, "image")) {
    DefaultIfZero(image, "pullPolicy", PullPolicy(TextAt(*image, "reference")));
  }
}

// A limit is a request too, unless another one is made.
void SetRequestsFromLimits(Json* container) {
  Json* resources = Object(container, "resources");
  const Json* limits = resources == nullptr ? nullptr : Object(resources, "limits");
  if (limits == nullptr || limits->empty()) return;
  Default(resources, "requests", Json::object());
  Json* requests = Object(resources, "requests");
  if (requests == nullptr) return;
  for (const auto& [name, amount] : limits->items()) Default(requests, name.c_str(), amount);
}

void SetPodDefaults(Json* pod) {
  Json* spec = Object(pod, "spec");
  if (spec == nullptr) return;
  SetPodSpecDefaults(spec);
  for (const char* list : {"initContainers", "containers"}) {
    Each(spec, list, SetRequestsFromLimits);
  }
}

// Returns the labels of the template, or null.
Json SetTemplateDefaults(Json* spec) {
  Json* pod_template = Object(spec, "template");
  if (pod_template == nullptr) return nullptr;
  if (Json* pod = Object(pod_template, "spec")) SetPodSpecDefaults(pod);
  return At(*pod_template, "metadata.labels");
}

void SetDeploymentDefaults(Json* spec) {
  Default(spec, "replicas", 1);
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "progressDeadlineSeconds", 600);
  Default(spec, "strategy", Json::object());
  Json* strategy = Object(spec, "strategy");
  if (strategy == nullptr) return;
  DefaultIfZero(strategy, "type", "RollingUpdate");
  if ((*strategy)["type"] != "RollingUpdate") return;
  Default(strategy, "rollingUpdate", Json::object());
  if (Json* rolling = Object(strategy, "rollingUpdate")) {
    Default(rolling, "maxUnavailable", "25%");
    Default(rolling, "maxSurge", "25%");
  }
}

void SetDaemonSetDefaults(Json* spec) {
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "updateStrategy", Json::object());
  Json* strategy = Object(spec, "updateStrategy");
  if (strategy == nullptr) return;
  DefaultIfZero(strategy, "type", "RollingUpdate");
  if ((*strategy)["type"] != "RollingUpdate") return;
  Default(strategy, "rollingUpdate", Json::object());
  if (Json* rolling = Object(strategy, "rollingUpdate")) {
    Default(rolling, "maxUnavailable", 1);
    Default(rolling, "maxSurge", 0);
  }
}

void SetJobDefaults(Json* spec) {
  if (!spec->is_object()) return;
  const bool counted = !At(*spec, "completions").is_null();
  const bool parallel = !At(*spec, "parallelism").is_null();
  // Parallelism alone is a work queue: it is done when one pod is.
  if (!counted && !parallel) (*spec)["completions"] = 1;
  Default(spec, "parallelism", 1);
  Default(spec, "backoffLimit", 6);
  DefaultIfZero(spec, "completionMode", "NonIndexed");
  Default(spec, "suspend", false);
}

// What stands in stringData goes into data, and wins over it.
void FoldStringData(Json* secret) {
  DefaultIfZero(secret, "type", "Opaque");
  Json* plain = Object(secret, "stringData");
  if (plain == nullptr) return;
  Default(secret, "data", Json::object());
  Json* data = Object(secret, "data");
  if (data == nullptr) return;
  for (const auto& [key, text] : plain->items()) {
    if (!text.is_string()) return;  // Left in place for validation to name.
    (*data)[key] = absl::Base64Escape(text.get<std::string>());
  }
  secret->erase("stringData");
}

}  // namespace

void SetPodSpecDefaults(Json* spec) {
  DefaultIfZero(spec, "restartPolicy", "Always");
  DefaultIfZero(spec, "dnsPolicy", "ClusterFirst");
  DefaultIfZero(spec, "schedulerName", "default-scheduler");
  Default(spec, "terminationGracePeriodSeconds", 30);
  Default(spec, "securityContext", Json::object());
  const bool host_network = TruthAt(*spec, "hostNetwork");
  for (const char* list : {"initContainers", "containers"}) {
    Each(spec, list, SetContainerDefaults);
    if (!host_network) continue;
    Each(spec, list, [](Json* container) {
      Each(container, "ports",
           [](Json* port) { DefaultIfZero(port, "hostPort", At(*port, "containerPort")); });
    });
  }
  Each(spec, "volumes", SetVolumeDefaults);
}

void SetDefaults(Json* object) {
  const std::string kind = TextAt(*object, "kind");
  if (kind == "Pod") return SetPodDefaults(object);
  if (kind == "Secret") return FoldStringData(object);
  Json* spec = Object(object, "spec");
  if (spec == nullptr) return;
  const Json labels = SetTemplateDefaults(spec);
  if (kind == "Deployment") {
    SetDeploymentDefaults(spec);
  } else if (kind == "DaemonSet") {
    SetDaemonSetDefaults(spec);
  } else if (kind == "Job") {
    SetJobDefaults(spec);
  } else if (kind == "ReplicaSet") {
    Default(spec, "replicas", 1);
  } else if (kind == "ReplicationController") {
    Default(spec, "replicas", 1);
    if (labels.is_object() && !labels.empty()) {
      Default(spec, "selector", labels);
      if (Json* meta = Object(object, "metadata")) Default(meta, "labels", labels);
    }
  }
}

}  // namespace crisp::agent
