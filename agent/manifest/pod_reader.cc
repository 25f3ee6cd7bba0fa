#include "agent/manifest/pod_reader.h"

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/container_reader.h"
#include "agent/manifest/security_reader.h"
#include "agent/manifest/volume_reader.h"
#include "base/ids.h"

namespace crisp::agent {
namespace {

// The resolver of glibc reads no more (resolv.conf(5)); Kubernetes has the same bounds.
constexpr size_t kMaxServers = 3;
constexpr size_t kMaxSearches = 32;

void ReadDns(ObjectReader& spec, PodDns* dns) {
  spec.ReadChoice("dnsPolicy", {"Default", "ClusterFirst", "ClusterFirstWithHostNet", "None"},
                  &dns->policy);
  dns->configured = spec.Has("dnsConfig");
  spec.Object("dnsConfig", [&](ObjectReader& config) {
    config.Read("nameservers", &dns->servers);
    config.Read("searches", &dns->searches);
    config.Each("options", [&](ObjectReader& option) {
      std::string name, value;
      option.Require("name", &name);
      option.Read("value", &value);
      dns->options.push_back(option.Has("value") ? absl::StrCat(name, ":", value) : name);
    });
    if (dns->servers.size() > kMaxServers) {
      config.Fail("nameservers", absl::StrCat("more than ", kMaxServers));
    }
    if (dns->searches.size() > kMaxSearches) {
      config.Fail("searches", absl::StrCat("more than ", kMaxSearches));
    }
  });
  if (dns->policy == "None" && dns->servers.empty()) {
    spec.Fail("dnsConfig", "needs at least one of nameservers when dnsPolicy is None");
  }
}

void CheckNames(ObjectReader& spec, const Pod& pod) {
  if (spec.ok() && pod.containers.empty()) spec.Fail("containers", "is required");
  std::set<std::string> names;
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      if (!names.insert(container.name).second) {
        spec.Fail(list == &pod.containers ? "containers" : "initContainers",
                  absl::StrCat("the name \"", container.name, "\" stands twice"));
      }
    }
  }
}

// What stands between the containers and the pod's other fields.
void CheckTogether(ObjectReader& spec, const Pod& pod) {
  std::set<std::string> volumes;
  for (const auto& volume : pod.volumes) {
    if (!volumes.insert(volume.value("name", "")).second) {
      spec.Fail("volumes",
                absl::StrCat("the name \"", volume.value("name", ""), "\" stands twice"));
    }
  }
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    const char* field = list == &pod.containers ? "containers" : "initContainers";
    for (size_t i = 0; i < list->size(); ++i) {
      const Container& container = (*list)[i];
      for (size_t k = 0; k < container.volume_mounts.size(); ++k) {
        const std::string volume = container.volume_mounts[k].value("name", "");
        if (volumes.count(volume) > 0 || !spec.ok()) continue;
        *spec.status() = absl::InvalidArgumentError(
            absl::StrCat(spec.path(), ".", field, "[", i, "].volumeMounts[", k,
                         "].name: there is no volume \"", volume, "\" in spec.volumes"));
      }
      for (size_t k = 0; k < container.ports.size(); ++k) {
        const ContainerPort& port = container.ports[k];
        if (!pod.host_network || port.host_port == 0 || !spec.ok()) continue;
        if (port.host_port == port.container_port) continue;
        *spec.status() = absl::InvalidArgumentError(
            absl::StrCat(spec.path(), ".", field, "[", i, "].ports[", k,
                         "].hostPort: must equal containerPort with hostNetwork"));
      }
    }
  }
  if (pod.host_pid && pod.share_process_namespace) {
    spec.Fail("shareProcessNamespace", "cannot be combined with hostPID");
  }
}

void ReadSpec(ObjectReader& spec, Pod* pod) {
  spec.Each("initContainers",
            [&](ObjectReader& c) { ReadContainer(c, &pod->init_containers.emplace_back()); });
  spec.Each("containers",
            [&](ObjectReader& c) { ReadContainer(c, &pod->containers.emplace_back()); });
  spec.Each("volumes", [](ObjectReader& volume) { CheckVolume(volume); });
  if (const nlohmann::json* volumes = spec.Raw("volumes"); volumes != nullptr) {
    pod->volumes = *volumes;
  }
  spec.Object("securityContext",
              [&](ObjectReader& context) { ReadPodSecurity(context, &pod->security); });
  ReadDns(spec, &pod->dns);
  spec.Read("hostname", &pod->hostname);
  if (!pod->hostname.empty() && !IsDnsLabel(pod->hostname)) {
    spec.Fail("hostname", "is not lower-case letters, digits and '-', at most 63");
  }
  spec.Read("hostNetwork", &pod->host_network);
  spec.Read("hostPID", &pod->host_pid);
  spec.Read("hostIPC", &pod->host_ipc);
  spec.Read("shareProcessNamespace", &pod->share_process_namespace);
  spec.ReadChoice("restartPolicy", {"Always", "OnFailure", "Never"}, &pod->restart_policy);
  spec.Read("runtimeClassName", &pod->runtime_class_name);
  std::optional<int64_t> grace;
  spec.Read("terminationGracePeriodSeconds", &grace);
  pod->termination_grace_period_seconds = grace.value_or(pod->termination_grace_period_seconds);
  spec.NotYet({"activeDeadlineSeconds",
               "affinity",
               "automountServiceAccountToken",
               "enableServiceLinks",
               "ephemeralContainers",
               "hostAliases",
               "hostUsers",
               "hostnameOverride",
               "imagePullSecrets",
               "nodeName",
               "nodeSelector",
               "os",
               "overhead",
               "preemptionPolicy",
               "priority",
               "priorityClassName",
               "readinessGates",
               "resourceClaims",
               "resources",
               "schedulerName",
               "schedulingGates",
               "schedulingGroup",
               "serviceAccount",
               "serviceAccountName",
               "setHostnameAsFQDN",
               "subdomain",
               "tolerations",
               "topologySpreadConstraints",
               "workloadRef"});
  CheckNames(spec, *pod);
  CheckTogether(spec, *pod);
}

}  // namespace

void ReadMetadata(ObjectReader& document, ObjectMeta* out) {
  if (!document.Has("metadata")) return document.Fail("metadata", "is required");
  document.Object("metadata", [&](ObjectReader& meta) {
    meta.NotYet({"generateName", "finalizers", "ownerReferences", "deletionTimestamp",
                 "deletionGracePeriodSeconds"});
    // A server fills these in; an exported manifest carries them.
    meta.Ignore(
        {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"});
    if (!meta.Has("generateName")) meta.Require("name", &out->name);
    meta.Read("namespace", &out->ns);
    meta.Read("labels", &out->labels);
    meta.Read("annotations", &out->annotations);
    if (!out->name.empty() && !IsDnsSubdomain(out->name)) {
      meta.Fail("name", absl::StrCat("\"", absl::Utf8SafeCEscape(out->name),
                                     "\" is not lower-case letters, digits, '-' and '.', at most "
                                     "253"));
    }
    if (!out->ns.empty() && !IsDnsLabel(out->ns)) {
      meta.Fail("namespace", absl::StrCat("\"", absl::Utf8SafeCEscape(out->ns),
                                          "\" is not lower-case letters, digits and '-', at most "
                                          "63"));
    }
  });
}

absl::StatusOr<Pod> ReadPod(const nlohmann::json& json) {
  absl::Status status;
  Pod pod;
  ObjectReader document(json, "", &status);
  document.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(document, &meta);
  pod.name = meta.name;
  pod.ns = meta.ns;
  pod.labels = meta.labels;
  pod.annotations = meta.annotations;
  if (!document.Has("spec")) document.Fail("spec", "is required");
  document.Object("spec", [&](ObjectReader& spec) { ReadSpec(spec, &pod); });
  document.Finish();
  if (!status.ok()) return status;
  pod.spec = json["spec"];
  return pod;
}

}  // namespace crisp::agent
