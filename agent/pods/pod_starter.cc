#include "agent/pods/pod_starter.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/environment.h"
#include "agent/pods/host_volumes.h"
#include "agent/pods/pod_objects.h"
#include "api/cri/v1/api.pb.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

constexpr char kHostsPath[] = "/etc/hosts";

bool Mounts(const Container& container, const std::string& path) {
  for (const Json& mount : container.volume_mounts) {
    if (TextAt(mount, "mountPath") == path) return true;
  }
  return false;
}

// What the agent itself mounts, besides the pod's volumes.
absl::Status AddOwnMounts(const PodContext& pod, const Container& container,
                          const std::vector<std::string>& ips, ContainerInstanceConfig* out) {
  if (!container.termination_message_path.empty()) {
    CRISP_ASSIGN_OR_RETURN(std::string file,
                           pod.files.MakeTerminationMessage(container.name, out->restart_count));
    out->mounts.push_back({container.termination_message_path, std::move(file), false});
  }
  // Without aliases the runtime's own file says the same.
  if (!pod.spec.host_aliases.empty() && !Mounts(container, kHostsPath)) {
    CRISP_ASSIGN_OR_RETURN(std::string file, pod.files.WriteHosts(pod.spec, ips));
    out->mounts.push_back({kHostsPath, std::move(file), false});
  }
  if (pod.traits.has_volumes) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(auto mounts, HostVolumeMounts(pod.spec, container, pod.files));
  out->mounts.insert(out->mounts.end(), std::make_move_iterator(mounts.begin()),
                     std::make_move_iterator(mounts.end()));
  return absl::OkStatus();
}

absl::StatusOr<Environment> ResolveEnvironment(const PodServices& s, const PodContext& pod,
                                               const Container& container,
                                               const std::vector<std::string>& ips) {
  StoreObjects objects(s.store);
  CRISP_ASSIGN_OR_RETURN(const EnvironmentSources sources,
                         EnvironmentSources::Fetch(objects, pod.spec, container.name));
  PodFacts facts;
  facts.uid = pod.uid;
  facts.node_name = s.options.node_name;
  facts.host_ip = s.options.node.ip;
  facts.pod_ip = ips.empty() ? "" : ips[0];
  facts.pod_ips = ips;
  facts.node_cpu_milli = s.options.node.cpus * 1000;
  facts.node_memory_bytes = s.options.node.memory_bytes;
  std::vector<SkippedKeys> skipped;
  CRISP_ASSIGN_OR_RETURN(
      Environment environment,
      sources.Resolve(pod.spec, container, facts,
                      s.options.legacy_env_names ? EnvNames::kLegacy : EnvNames::kRelaxed,
                      &skipped));
  for (const SkippedKeys& one : skipped) {
    s.events->Record(
        *pod.object, EventType::kWarning, "InvalidEnvironmentVariableNames",
        absl::StrCat("Keys [", absl::StrJoin(one.keys, ", "), "] from the EnvFrom ",
                     one.kind == ObjectKind::kConfigMap ? "configMap " : "secret ", pod.spec.ns,
                     "/", one.name,
                     " were skipped since they are considered invalid environment variable "
                     "names."));
  }
  return environment;
}

}  // namespace

std::string FieldPath(const std::string& container, bool init) {
  return absl::StrCat(init ? "spec.initContainers{" : "spec.containers{", container, "}");
}

std::vector<std::string> PodAddresses(const Pod& pod, const SandboxState& sandbox,
                                      const std::string& host_ip) {
  if (!pod.host_network) return sandbox.ips;
  return host_ip.empty() ? std::vector<std::string>() : std::vector<std::string>{host_ip};
}

PodInstance PodStarter::InstanceOf(const PodContext& pod, uint32_t attempt) const {
  PodInstance out;
  out.uid = pod.uid;
  out.attempt = attempt;
  out.log_directory = pod.files.log_directory();
  out.host_resolv_conf = s_.options.node.resolv_conf;
  out.node_agent = s_.options.node_name;
  out.volume_annotations = pod.traits.has_volumes;
  if (!pod.spec.host_users) out.first_host_id = s_.user_namespaces->Find(pod.uid);
  return out;
}

// A runtime that has none might take no notice of what is asked, so it is not asked.
absl::Status PodStarter::TakeUserNamespace(const PodContext& pod) const {
  if (pod.spec.host_users) return absl::OkStatus();
  const std::string& handler = pod.spec.runtime_class_name;
  const absl::StatusOr<bool> can = s_.runtime->HasUserNamespaces(handler);
  if (!can.ok() && !absl::IsNotFound(can.status())) return can.status();
  if (can.ok() && *can) return s_.user_namespaces->Take(pod.uid).status();
  return absl::FailedPreconditionError(absl::StrCat(
      "can't set `spec.hostUsers: false`, ",
      handler.empty() ? "runtime" : absl::StrCat("RuntimeClass handler \"", handler, "\""),
      " does not support user namespaces", can.ok() ? "" : ": ", can.status().message()));
}

std::shared_ptr<const runtime::v1::PodSandboxConfig> PodStarter::SandboxConfig(
    const PodContext& pod, uint32_t attempt) const {
  return std::make_shared<const runtime::v1::PodSandboxConfig>(
      MakeSandboxConfig(pod.spec, InstanceOf(pod, attempt)));
}

absl::Status PodStarter::StartSandbox(const PodContext& pod, uint32_t attempt) const {
  absl::Status status = CheckVolumeObjects(*s_.store, pod.spec);
  if (status.ok() && !pod.traits.has_volumes) status = PrepareHostVolumes(pod.spec, pod.files);
  if (!status.ok()) {
    s_.events->Record(*pod.object, EventType::kWarning, "FailedMount",
                      std::string(status.message()));
    return status;
  }
  status = pod.files.MakeDirectories(pod.spec);
  if (status.ok()) status = TakeUserNamespace(pod);
  if (status.ok()) {
    status = s_.runtime->RunPodSandbox(*SandboxConfig(pod, attempt), pod.spec.runtime_class_name)
                 .status();
  }
  if (!status.ok() && !absl::IsCancelled(status)) {
    s_.events->Record(*pod.object, EventType::kWarning, "FailedCreatePodSandBox",
                      absl::StrCat("Failed to create pod sandbox: ", status.message()));
  }
  return status;
}

PodStarter::Started PodStarter::StartContainer(const PodContext& pod, const Container& container,
                                               const StartAction& action,
                                               const SandboxState& sandbox,
                                               const ImageFacts& image) const {
  Started out;
  const std::string field = FieldPath(container.name, action.init);
  const auto fail = [&](const char* reason, const absl::Status& status) {
    out.cancelled = absl::IsCancelled(status);
    if (out.cancelled) return out;
    out.failed = Waiting{reason, std::string(status.message())};
    s_.events->Record(*pod.object, EventType::kWarning, "Failed",
                      absl::StrCat("Error: ", status.message()), field);
    return out;
  };
  const std::vector<std::string> ips = PodAddresses(pod.spec, sandbox, s_.options.node.ip);
  const absl::StatusOr<Environment> environment = ResolveEnvironment(s_, pod, container, ips);
  if (!environment.ok()) {
    out.config_error = true;
    return fail("CreateContainerConfigError", environment.status());
  }
  if (!action.replaces.empty()) {
    // It has the name that this one needs.
    const absl::Status removed = s_.runtime->RemoveContainer(action.replaces);
    if (!removed.ok()) return fail("CreateContainerError", removed);
  }
  ContainerInstanceConfig start;
  start.restart_count = action.restart_count;
  start.next_back_off = action.next_back_off;
  start.volume_annotations = pod.traits.has_volumes;
  if (const absl::Status status = AddOwnMounts(pod, container, ips, &start); !status.ok()) {
    return fail("CreateContainerConfigError", status);
  }
  const auto config = MakeContainerConfig(pod.spec, container, InstanceOf(pod, sandbox.attempt),
                                          image, *environment, s_.options.node.memory_bytes, start);
  if (!config.ok()) return fail("CreateContainerConfigError", config.status());

  auto created =
      s_.runtime->CreateContainer(sandbox.id, *config, *SandboxConfig(pod, sandbox.attempt));
  if (!created.ok()) return fail("CreateContainerError", created.status());
  s_.events->Record(*pod.object, EventType::kNormal, "Created",
                    absl::StrCat("Created container: ", container.name), field);
  if (const absl::Status status = s_.runtime->StartContainer(*created); !status.ok()) {
    return fail("RunContainerError", status);
  }
  s_.events->Record(*pod.object, EventType::kNormal, "Started",
                    absl::StrCat("Started container ", container.name), field);
  out.id = *std::move(created);
  return out;
}

}  // namespace crisp::agent
