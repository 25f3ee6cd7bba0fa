#include "agent/manifest/pod_reader.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/affinity.h"
#include "agent/manifest/container_reader.h"
#include "agent/manifest/labels.h"
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
      config.Invalid("nameservers", dns->servers,
                     absl::StrCat("must not have more than ", kMaxServers, " nameservers"));
    }
    if (dns->searches.size() > kMaxSearches) {
      config.Invalid("searches", dns->searches,
                     absl::StrCat("must not have more than ", kMaxSearches, " search paths"));
    }
  });
  if (dns->policy == "None" && dns->servers.empty()) {
    spec.Fail("dnsConfig",
              "Required value: must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
}

void ReadHostAliases(ObjectReader& spec, Pod* pod) {
  spec.Each("hostAliases", [&](ObjectReader& reader) {
    HostAlias alias;
    unsigned char address[sizeof(in6_addr)];
    if (reader.Require("ip", &alias.ip) && ::inet_pton(AF_INET, alias.ip.c_str(), address) != 1 &&
        ::inet_pton(AF_INET6, alias.ip.c_str(), address) != 1) {
      reader.Invalid("ip", alias.ip,
                     "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
    reader.Read("hostnames", &alias.hostnames);
    for (const std::string& name : alias.hostnames) {
      const std::string wrong = SubdomainError(name);
      if (!wrong.empty()) reader.Invalid("hostnames", name, wrong);
    }
    pod->host_aliases.push_back(std::move(alias));
  });
}

// The paths of the last two are Kubernetes' own.
void ReadHostUsers(ObjectReader& spec, Pod* pod) {
  spec.Read("hostUsers", &pod->host_users);
  if (pod->host_users) return;
  const struct {
    const char* name;
    bool of_host;
  } others[] = {
      {"hostNetwork", pod->host_network}, {"HostPID", pod->host_pid}, {"HostIPC", pod->host_ipc}};
  for (const auto& other : others) {
    if (other.of_host) spec.Forbidden(other.name, "when `hostUsers` is false");
  }
}

// What only a cluster can carry out: refused where a pod would not be what its author
// wants, taken with a warning where all is well without it.
void ReadFieldsOfClusters(ObjectReader& spec) {
  bool off = false;
  spec.Read("setHostnameAsFQDN", &off);
  if (off) spec.Invalid("setHostnameAsFQDN", true, "not supported yet");
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
  spec.NotYet({"ephemeralContainers", "hostnameOverride", "readinessGates", "resourceClaims",
               "resources", "schedulingGates", "schedulingGroup", "workloadRef"});
}

void ReadSpec(ObjectReader& spec, Pod* pod) {
  ContainerChecks checks;
  spec.Each("volumes", [&](ObjectReader& volume) { CheckVolume(volume, &checks.volumes); });
  if (const nlohmann::json* volumes = spec.Raw("volumes"); volumes != nullptr) {
    pod->volumes = *volumes;
  }
  spec.Read("hostNetwork", &pod->host_network);
  checks.host_network = pod->host_network;
  const nlohmann::json* containers = spec.Raw("containers");
  if (containers == nullptr || (containers->is_array() && containers->empty())) {
    spec.Fail("containers", "Required value");
  }
  spec.Each("containers", [&](ObjectReader& c) {
    ReadContainer(c, /*init=*/false, &checks, &pod->containers.emplace_back());
  });
  spec.Each("initContainers", [&](ObjectReader& c) {
    ReadContainer(c, /*init=*/true, &checks, &pod->init_containers.emplace_back());
  });
  spec.Object("securityContext",
              [&](ObjectReader& context) { ReadPodSecurity(context, &pod->security); });
  ReadDns(spec, &pod->dns);
  spec.Read("hostname", &pod->hostname);
  if (const std::string wrong = LabelNameError(pod->hostname);
      !pod->hostname.empty() && !wrong.empty()) {
    spec.Invalid("hostname", pod->hostname, wrong);
  }
  spec.Read("hostPID", &pod->host_pid);
  spec.Read("hostIPC", &pod->host_ipc);
  ReadHostUsers(spec, pod);
  spec.Read("shareProcessNamespace", &pod->share_process_namespace);
  if (pod->host_pid && pod->share_process_namespace) {
    spec.Invalid("shareProcessNamespace", true,
                 "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  spec.ReadChoice("restartPolicy", {"Always", "OnFailure", "Never"}, &pod->restart_policy);
  spec.Read("runtimeClassName", &pod->runtime_class_name);
  std::optional<int64_t> grace;
  spec.Read("terminationGracePeriodSeconds", &grace, INT64_MIN);
  // Kubernetes takes a negative one for 1.
  if (grace.has_value()) pod->termination_grace_period_seconds = *grace < 0 ? 1 : *grace;
  spec.Read("activeDeadlineSeconds", &pod->active_deadline_seconds, 1, INT32_MAX);
  ReadHostAliases(spec, pod);
  spec.Read("nodeSelector", &pod->node_selector);
  CheckLabels(spec, "nodeSelector", pod->node_selector);
  spec.Read("nodeName", &pod->node_name);
  Affinity affinity;  // The scheduler's.
  ReadAffinity(spec, &affinity);
  spec.Each("imagePullSecrets", [&](ObjectReader& secret) {
    std::string name;
    secret.Read("name", &name);
    // Kubernetes takes one without a name, and leaves it out.
    if (name.empty()) return secret.Warn("", "invalid empty name \"\"");
    pod->image_pull_secrets.push_back(std::move(name));
  });
  ReadFieldsOfClusters(spec);
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
    if (out->name.empty()) {
      if (meta.ok()) meta.Fail("name", "Required value: name or generateName is required");
    } else if (const std::string wrong = SubdomainError(out->name); !wrong.empty()) {
      meta.Invalid("name", out->name, wrong);
    }
    meta.Read("namespace", &out->ns);
    if (const std::string wrong = LabelNameError(out->ns); !out->ns.empty() && !wrong.empty()) {
      meta.Invalid("namespace", out->ns, wrong);
    }
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
  });
}

void ReadPodSpec(ObjectReader& spec, Pod* out) { ReadSpec(spec, out); }

Pod ReadPod(const nlohmann::json& json, FieldErrors* errors, std::vector<std::string>* warnings) {
  Pod pod;
  ObjectReader document(json, "", errors, warnings);
  document.Ignore({"apiVersion", "kind", "status"});
  ObjectMeta meta;
  ReadMetadata(document, &meta);
  pod.name = meta.name;
  pod.ns = meta.ns;
  pod.labels = meta.labels;
  pod.annotations = meta.annotations;
  if (!document.Has("spec")) document.Fail("spec", "Required value");
  document.Object("spec", [&](ObjectReader& spec) { ReadSpec(spec, &pod); });
  if (const nlohmann::json* spec = document.Raw("spec"); spec != nullptr) pod.spec = *spec;
  document.Finish();
  return pod;
}

absl::StatusOr<Pod> ReadPod(const nlohmann::json& json, std::vector<std::string>* warnings) {
  FieldErrors errors;
  Pod pod = ReadPod(json, &errors, warnings);
  if (!errors.empty()) return errors.ToStatus();
  return pod;
}

}  // namespace crisp::agent
