#include "agent/pod_config.h"

#include <openssl/evp.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/security_config.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::ContainerConfig;
using runtime::v1::LinuxContainerResources;
using runtime::v1::PodSandboxConfig;

// The kernel's unit of CPU time for a quota, as kubelet sets it.
constexpr int64_t kCpuPeriodUs = 100'000;
constexpr int64_t kMinCpuQuotaUs = 1'000;
constexpr int64_t kMinCpuShares = 2;
constexpr int64_t kMaxCpuShares = 262'144;

// The node's resolver first, then what dnsConfig adds (resolv.conf(5)).
void AddNodeResolver(const std::string& resolv_conf, runtime::v1::DNSConfig* dns) {
  for (const absl::string_view line : absl::StrSplit(resolv_conf, '\n')) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") dns->add_servers(words[1]);
    if (words[0] == "search" || words[0] == "domain") {
      dns->clear_searches();  // The last line counts.
      for (size_t i = 1; i < words.size(); ++i) dns->add_searches(words[i]);
    }
    if (words[0] == "options") {
      for (size_t i = 1; i < words.size(); ++i) dns->add_options(words[i]);
    }
  }
}

void FillDns(const Pod& pod, const PodInstance& instance, PodSandboxConfig* config) {
  if (!pod.dns.configured) return;  // The runtime copies the node's resolver.
  runtime::v1::DNSConfig* dns = config->mutable_dns_config();
  if (pod.dns.policy != "None") AddNodeResolver(instance.host_resolv_conf, dns);
  for (const std::string& server : pod.dns.servers) dns->add_servers(server);
  for (const std::string& search : pod.dns.searches) dns->add_searches(search);
  for (const std::string& option : pod.dns.options) dns->add_options(option);
}

void FillPorts(const Pod& pod, PodSandboxConfig* config) {
  if (pod.host_network) return;
  for (const Container& container : pod.containers) {
    for (const ContainerPort& port : container.ports) {
      if (port.host_port == 0) continue;
      runtime::v1::PortMapping* mapping = config->add_port_mappings();
      mapping->set_container_port(port.container_port);
      mapping->set_host_port(port.host_port);
      mapping->set_host_ip(port.host_ip);
      mapping->set_protocol(port.protocol == "UDP"    ? runtime::v1::UDP
                            : port.protocol == "SCTP" ? runtime::v1::SCTP
                                                      : runtime::v1::TCP);
    }
  }
}

// A request that is absent takes the limit, as Kubernetes defaults it.
std::optional<int64_t> Request(std::optional<int64_t> request, std::optional<int64_t> limit) {
  return request.has_value() ? request : limit;
}

// kubelet's scores: who goes first when the node is out of memory.
int64_t OomScore(const Pod& pod, const Container& container, int64_t node_memory_bytes) {
  const absl::string_view qos = QosClass(pod);
  if (qos == "Guaranteed") return -997;
  if (qos == "BestEffort") return 1000;
  const auto memory =
      Request(container.resources.memory_request_bytes, container.resources.memory_limit_bytes);
  const int64_t share =
      node_memory_bytes > 0
          ? static_cast<int64_t>(1000.0 * static_cast<double>(memory.value_or(0)) /
                                 static_cast<double>(node_memory_bytes))
          : 0;
  return std::clamp<int64_t>(1000 - share, 3, 999);
}

void FillResources(const Pod& pod, const Container& container, int64_t node_memory_bytes,
                   LinuxContainerResources* out) {
  const Resources& r = container.resources;
  const auto cpu = Request(r.cpu_request_milli, r.cpu_limit_milli);
  // Shares are a request's only effect; none means the least, as kubelet does.
  out->set_cpu_shares(
      std::clamp<int64_t>(static_cast<int64_t>(static_cast<double>(cpu.value_or(0)) * 1.024),
                          kMinCpuShares, kMaxCpuShares));
  if (const int64_t limit = r.cpu_limit_milli.value_or(0); limit > 0) {
    out->set_cpu_period(kCpuPeriodUs);
    const int64_t most = INT64_MAX / kCpuPeriodUs;
    out->set_cpu_quota(std::max(kMinCpuQuotaUs, std::min(limit, most) * kCpuPeriodUs / 1000));
  }
  out->set_memory_limit_in_bytes(r.memory_limit_bytes.value_or(0));
  out->set_oom_score_adj(OomScore(pod, container, node_memory_bytes));
}

}  // namespace

std::string HostnameOf(const Pod& pod) {
  if (pod.host_network) return "";
  std::string hostname = pod.hostname.empty() ? pod.name.substr(0, 63) : pod.hostname;
  while (absl::EndsWith(hostname, "-") || absl::EndsWith(hostname, ".")) hostname.pop_back();
  return hostname;
}

const char* QosClass(const Pod& pod) {
  bool guaranteed = true;
  bool best_effort = true;
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& one : *list) {
      const Resources& r = one.resources;
      const auto cpu = Request(r.cpu_request_milli, r.cpu_limit_milli);
      const auto memory = Request(r.memory_request_bytes, r.memory_limit_bytes);
      if (cpu.value_or(0) > 0 || memory.value_or(0) > 0) best_effort = false;
      if (r.cpu_limit_milli.value_or(0) == 0 || r.memory_limit_bytes.value_or(0) == 0 ||
          cpu != r.cpu_limit_milli || memory != r.memory_limit_bytes) {
        guaranteed = false;
      }
    }
  }
  return guaranteed ? "Guaranteed" : best_effort ? "BestEffort" : "Burstable";
}

bool IsAgentAnnotation(const std::string& key) { return absl::StartsWith(key, "io.crisp."); }

std::string SpecHash(const Pod& pod) {
  const std::string text = nlohmann::json{
      {"labels", pod.labels},
      {"annotations", pod.annotations},
      {"spec", pod.spec}}.dump();
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
             EVP_sha256(), nullptr);
  return absl::BytesToHexString(absl::string_view(digest.data(), size));
}

PodSandboxConfig MakeSandboxConfig(const Pod& pod, const PodInstance& instance) {
  PodSandboxConfig config;
  config.mutable_metadata()->set_name(pod.name);
  config.mutable_metadata()->set_namespace_(pod.ns);
  config.mutable_metadata()->set_uid(instance.uid);
  config.mutable_metadata()->set_attempt(instance.attempt);
  config.set_hostname(HostnameOf(pod));
  config.set_log_directory(instance.log_directory);
  FillDns(pod, instance, &config);
  FillPorts(pod, &config);

  auto& labels = *config.mutable_labels();
  labels.insert(pod.labels.begin(), pod.labels.end());
  labels[kPodNameLabel] = pod.name;
  labels[kPodNamespaceLabel] = pod.ns;
  labels[kPodUidLabel] = instance.uid;
  auto& annotations = *config.mutable_annotations();
  annotations.insert(pod.annotations.begin(), pod.annotations.end());
  if (instance.volume_annotations) annotations[kVolumesAnnotation] = pod.volumes.dump();
  if (!instance.node_agent.empty()) annotations[kNodeAgentAnnotation] = instance.node_agent;
  annotations[kSpecAnnotation] = pod.spec.dump();
  annotations[kSpecHashAnnotation] = SpecHash(pod);
  if (pod.security.fs_group.has_value()) {
    annotations[kFsGroupAnnotation] = absl::StrCat(*pod.security.fs_group);
  }
  config.mutable_linux()->mutable_sysctls()->insert(pod.security.sysctls.begin(),
                                                    pod.security.sysctls.end());
  FillSandboxSecurity(pod, instance, config.mutable_linux()->mutable_security_context());
  return config;
}

absl::StatusOr<ContainerConfig> MakeContainerConfig(const Pod& pod, const Container& container,
                                                    const PodInstance& instance,
                                                    const ImageFacts& image,
                                                    const Environment& environment,
                                                    int64_t node_memory_bytes,
                                                    const ContainerInstanceConfig& start) {
  ContainerConfig config;
  config.mutable_metadata()->set_name(container.name);
  config.mutable_metadata()->set_attempt(static_cast<uint32_t>(start.restart_count));
  config.mutable_image()->set_image(image.id);
  config.mutable_image()->set_user_specified_image(container.image);
  for (const std::string& word : container.command) {
    config.add_command(ExpandVariables(word, environment));
  }
  for (const std::string& word : container.args) {
    config.add_args(ExpandVariables(word, environment));
  }
  config.set_working_dir(container.working_dir);
  for (const auto& [name, value] : environment) {
    runtime::v1::KeyValue* env = config.add_envs();
    env->set_key(name);
    env->set_value(value);
  }
  auto& labels = *config.mutable_labels();
  labels[kPodNameLabel] = pod.name;
  labels[kPodNamespaceLabel] = pod.ns;
  labels[kPodUidLabel] = instance.uid;
  labels[kContainerNameLabel] = container.name;
  auto& annotations = *config.mutable_annotations();
  if (start.volume_annotations) {
    annotations[kVolumeMountsAnnotation] = container.volume_mounts.dump();
  }
  annotations[kImageAnnotation] = container.image;
  annotations[kRestartCountAnnotation] = absl::StrCat(start.restart_count);
  if (start.next_back_off > absl::ZeroDuration()) {
    annotations[kBackOffAnnotation] = absl::StrCat(absl::ToInt64Milliseconds(start.next_back_off));
  }
  for (const auto& mount : start.mounts) {
    runtime::v1::Mount* added = config.add_mounts();
    added->set_container_path(mount.container_path);
    added->set_host_path(mount.host_path);
    added->set_readonly(mount.read_only);
    // Files on the host keep the owners that they have inside.
    if (pod.host_users || !instance.first_host_id.has_value()) continue;
    AddIds(*instance.first_host_id, added->mutable_uidmappings());
    AddIds(*instance.first_host_id, added->mutable_gidmappings());
  }
  config.set_log_path(absl::StrCat(container.name, "/", start.restart_count, ".log"));
  config.set_stdin(container.stdin_open);
  config.set_stdin_once(container.stdin_once);
  config.set_tty(container.tty);
  FillResources(pod, container, node_memory_bytes, config.mutable_linux()->mutable_resources());
  CRISP_RETURN_IF_ERROR(FillContainerSecurity(pod, container, instance, image,
                                              config.mutable_linux()->mutable_security_context()));
  return config;
}

}  // namespace crisp::agent
