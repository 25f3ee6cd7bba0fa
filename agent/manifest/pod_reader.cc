#include "agent/manifest/pod_reader.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/container_reader.h"
#include "agent/manifest/names.h"
#include "agent/manifest/security_reader.h"
#include "agent/manifest/volume_reader.h"

namespace crisp::agent {
namespace {

// The resolver of glibc reads no more (resolv.conf(5)); Kubernetes has the same bounds.
constexpr size_t kMaxServers = 3;
constexpr size_t kMaxSearches = 32;
constexpr size_t kMaxAnnotations = 256 << 10;

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
      config.Fail("nameservers",
                  absl::StrCat("Invalid value: must not have more than ", kMaxServers));
    }
    if (dns->searches.size() > kMaxSearches) {
      config.Fail("searches",
                  absl::StrCat("Invalid value: must not have more than ", kMaxSearches));
    }
  });
  if (dns->policy == "None" && dns->servers.empty()) {
    spec.Fail("dnsConfig",
              "Required value: must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
}

// Fails with the path of something inside the element `i` of a list.
void FailAt(ObjectReader& spec, const char* list, size_t i, absl::string_view inside,
            absl::string_view why) {
  if (!spec.ok()) return;
  *spec.status() =
      absl::InvalidArgumentError(absl::StrCat(spec.PathOf(list), "[", i, "]", inside, ": ", why));
}

void CheckNames(ObjectReader& spec, const Pod& pod) {
  if (spec.ok() && pod.containers.empty()) spec.Fail("containers", "Required value");
  std::set<std::string> names;
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (size_t i = 0; i < list->size(); ++i) {
      if (names.insert((*list)[i].name).second) continue;
      FailAt(spec, list == &pod.containers ? "containers" : "initContainers", i, ".name",
             absl::StrCat("Duplicate value: \"", (*list)[i].name, "\""));
    }
  }
}

// What stands between the containers and the pod's other fields.
void CheckTogether(ObjectReader& spec, const Pod& pod) {
  std::set<std::string> volumes;
  for (size_t i = 0; i < pod.volumes.size() && spec.ok(); ++i) {
    const std::string name = pod.volumes[i].value("name", "");
    if (volumes.insert(name).second) continue;
    FailAt(spec, "volumes", i, ".name", absl::StrCat("Duplicate value: \"", name, "\""));
  }
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    const char* field = list == &pod.containers ? "containers" : "initContainers";
    for (size_t i = 0; i < list->size(); ++i) {
      const Container& container = (*list)[i];
      for (size_t k = 0; k < container.volume_mounts.size(); ++k) {
        const std::string volume = container.volume_mounts[k].value("name", "");
        if (volumes.count(volume) > 0 || !spec.ok()) continue;
        FailAt(spec, field, i, absl::StrCat(".volumeMounts[", k, "].name"),
               absl::StrCat("Not found: \"", volume, "\""));
      }
      for (size_t k = 0; k < container.ports.size(); ++k) {
        const ContainerPort& port = container.ports[k];
        if (!pod.host_network || port.host_port == 0 || !spec.ok()) continue;
        if (port.host_port == port.container_port) continue;
        FailAt(spec, field, i, absl::StrCat(".ports[", k, "].containerPort"),
               absl::StrCat("Invalid value: ", port.container_port,
                            ": must match `hostPort` when `hostNetwork` is true"));
      }
    }
  }
  if (pod.host_pid && pod.share_process_namespace) {
    spec.Invalid("shareProcessNamespace", true,
                 "ShareProcessNamespace and HostPID cannot both be enabled");
  }
}

void ReadHostAliases(ObjectReader& spec, Pod* pod) {
  spec.Each("hostAliases", [&](ObjectReader& reader) {
    HostAlias alias;
    reader.Require("ip", &alias.ip);
    unsigned char address[sizeof(in6_addr)];
    if (reader.ok() && ::inet_pton(AF_INET, alias.ip.c_str(), address) != 1 &&
        ::inet_pton(AF_INET6, alias.ip.c_str(), address) != 1) {
      reader.Invalid("ip", alias.ip, "must be a valid IP address");
    }
    reader.Read("hostnames", &alias.hostnames);
    for (const std::string& name : alias.hostnames) {
      const std::string wrong = SubdomainError(name);
      if (!wrong.empty()) reader.Invalid("hostnames", name, wrong);
    }
    pod->host_aliases.push_back(std::move(alias));
  });
}

// What only a cluster can carry out: refused where a pod would not be what its author
// wants, taken with a warning where all is well without it.
void ReadFieldsOfClusters(ObjectReader& spec) {
  bool off = false;
  spec.Read("setHostnameAsFQDN", &off);
  if (off) spec.Invalid("setHostnameAsFQDN", true, "not supported yet");
  bool host_users = true;
  spec.Read("hostUsers", &host_users);
  if (!host_users) spec.Invalid("hostUsers", false, "not supported yet");
  spec.Object("os", [](ObjectReader& os) {
    std::string name;
    os.ReadChoice("name", {"linux"}, &name);
  });
  std::string scheduler;
  spec.ReadChoice("schedulerName", {"default-scheduler"}, &scheduler);
  // True of every pod here: no node is tainted, and no service makes variables.
  spec.Ignore({"enableServiceLinks", "preemptionPolicy", "tolerations"});
  bool token = false;
  spec.Read("automountServiceAccountToken", &token);
  if (token) spec.Warn("automountServiceAccountToken", "has no effect on a node without a cluster");
  std::string account;
  spec.Read("serviceAccountName", &account);
  if (!account.empty() && account != "default") {
    spec.Warn("serviceAccountName", "has no effect on a node without a cluster");
  }
  spec.Ignore({"serviceAccount"});
  spec.NoEffect(
      {"overhead", "priority", "priorityClassName", "subdomain", "topologySpreadConstraints"});
  if (spec.Has("imagePullSecrets")) {
    spec.Warn("imagePullSecrets",
              "has no effect: images are pulled with the credentials that the runtime has");
  }
  spec.Ignore({"imagePullSecrets"});
  spec.NotYet({"affinity", "ephemeralContainers", "hostnameOverride", "readinessGates",
               "resourceClaims", "resources", "schedulingGates", "schedulingGroup", "workloadRef"});
}

void CheckHooks(ObjectReader& spec, const Pod& pod) {
  for (size_t i = 0; i < pod.init_containers.size(); ++i) {
    const Container& c = pod.init_containers[i];
    if (c.is_sidecar()) continue;
    const std::pair<bool, const char*> set[] = {
        {c.post_start.has_value() || c.pre_stop.has_value(), ".lifecycle"},
        {c.liveness.has_value(), ".livenessProbe"},
        {c.readiness.has_value(), ".readinessProbe"},
        {c.startup.has_value(), ".startupProbe"}};
    for (const auto& [there, field] : set) {
      if (!there) continue;
      FailAt(spec, "initContainers", i, field,
             "Forbidden: may not be set for init containers without restartPolicy=Always");
    }
  }
  for (size_t i = 0; i < pod.containers.size(); ++i) {
    if (pod.containers[i].restart_policy.empty()) continue;
    FailAt(spec, "containers", i, ".restartPolicy",
           "Forbidden: may not be set for non-init containers");
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
  if (const std::string wrong = LabelNameError(pod->hostname);
      !pod->hostname.empty() && !wrong.empty()) {
    spec.Invalid("hostname", pod->hostname, wrong);
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
  spec.Read("activeDeadlineSeconds", &pod->active_deadline_seconds, 1, INT32_MAX);
  ReadHostAliases(spec, pod);
  spec.Read("nodeSelector", &pod->node_selector);
  CheckLabels(spec, "nodeSelector", pod->node_selector);
  spec.Read("nodeName", &pod->node_name);
  ReadFieldsOfClusters(spec);
  CheckNames(spec, *pod);
  CheckHooks(spec, *pod);
  CheckTogether(spec, *pod);
}

}  // namespace

void ReadMetadata(ObjectReader& document, ObjectMeta* out) {
  if (!document.Has("metadata")) return document.Fail("metadata", "Required value");
  document.Object("metadata", [&](ObjectReader& meta) {
    meta.NotYet({"finalizers"});
    // A server fills these in; an exported manifest carries them.
    meta.Ignore({"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
                 "generateName", "generation", "managedFields", "ownerReferences",
                 "resourceVersion", "selfLink", "uid"});
    meta.Read("name", &out->name);
    if (out->name.empty()) meta.Fail("name", "Required value: name or generateName is required");
    meta.Read("namespace", &out->ns);
    meta.Read("labels", &out->labels);
    meta.Read("annotations", &out->annotations);
    CheckLabels(meta, "labels", out->labels);
    size_t bytes = 0;
    for (const auto& [key, value] : out->annotations) {
      const std::string wrong = LabelKeyError(absl::AsciiStrToLower(key));
      if (!wrong.empty()) meta.Invalid("annotations", key, wrong);
      // The agent's own, which is as large as the manifest.
      if (key != "kubectl.kubernetes.io/last-applied-configuration") {
        bytes += key.size() + value.size();
      }
    }
    if (bytes > kMaxAnnotations) {
      meta.Fail("annotations",
                absl::StrCat("Too long: may not be more than ", kMaxAnnotations, " bytes"));
    }
    if (const std::string wrong = SubdomainError(out->name); !out->name.empty() && !wrong.empty()) {
      meta.Invalid("name", out->name, wrong);
    }
    if (const std::string wrong = LabelNameError(out->ns); !out->ns.empty() && !wrong.empty()) {
      meta.Invalid("namespace", out->ns, wrong);
    }
  });
}

void CheckLabels(ObjectReader& object, const char* field,
                 const std::map<std::string, std::string>& labels) {
  for (const auto& [key, value] : labels) {
    if (const std::string wrong = LabelKeyError(key); !wrong.empty()) {
      object.Invalid(field, key, wrong);
    }
    if (const std::string wrong = LabelValueError(value); !wrong.empty()) {
      object.Invalid(field, value, wrong);
    }
  }
}

void ReadPodSpec(ObjectReader& spec, Pod* out) { ReadSpec(spec, out); }

absl::StatusOr<Pod> ReadPod(const nlohmann::json& json, std::vector<std::string>* warnings) {
  absl::Status status;
  Pod pod;
  ObjectReader document(json, "", &status, warnings);
  document.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(document, &meta);
  pod.name = meta.name;
  pod.ns = meta.ns;
  pod.labels = meta.labels;
  pod.annotations = meta.annotations;
  if (!document.Has("spec")) document.Fail("spec", "Required value");
  document.Object("spec", [&](ObjectReader& spec) { ReadSpec(spec, &pod); });
  document.Finish();
  if (!status.ok()) return status;
  pod.spec = json["spec"];
  return pod;
}

}  // namespace crisp::agent
