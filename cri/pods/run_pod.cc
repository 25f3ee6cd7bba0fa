#include "cri/pods/run_pod.h"

#include <sys/stat.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/side_by_side.h"
#include "base/status_macros.h"
#include "cri/pods/pod_cgroup.h"
#include "cri/pods/pod_files.h"
#include "cri/pods/pod_network_attachment.h"
#include "cri/pods/remove_pod.h"
#include "cri/pods/stop_pod.h"
#include "cri/spec/sandbox_spec.h"
#include "cri/spec/user.h"
#include "cri/spec/user_namespace.h"
#include "cri/spec/validate.h"
#include "netns/net_ns.h"
#include "netns/user_ns.h"

namespace crisp::cri {
namespace {

using state::v1::PodRecord;

constexpr char kStartPause[] = "start the pause process";
constexpr char kPrepareFiles[] = "prepare the pod's files and volumes";
constexpr char kNetwork[] = "set up the pod's network";

// The pod with its name reserved and its first record on disk.
absl::StatusOr<std::shared_ptr<Pod>> Reserve(const PodContext& context,
                                             const runtime::v1::PodSandboxConfig& config,
                                             const std::string& runtime_handler) {
  PodRecord record;
  record.set_id(NewId());
  *record.mutable_config() = config;
  record.set_runtime_handler(runtime_handler);
  record.set_created_at(context.clock->NowNs());
  record.set_cgroup_path(JoinPath(PodCgroupParent(context, config, record.id()), record.id()));
  *record.mutable_resources() = config.linux().resources();
  *record.mutable_overhead() = config.linux().overhead();
  const std::string directory = JoinPath(context.pods_dir, record.id());
  auto pod = std::make_shared<Pod>(directory, context.boot_id, std::move(record));
  CRISP_RETURN_IF_ERROR(context.pods->Add(pod));
  CRISP_FAILPOINT("run_pod/name reserved");
  return pod;
}

// The first record, with all that is about to be attempted: an interrupted start is
// undone from it.
absl::Status MakeDirectory(const PodContext& context, Pod& pod) {
  CRISP_RETURN_IF_ERROR(MakeDirs(pod.directory(), 0700));
  CRISP_RETURN_IF_ERROR(MakeDirs(pod.ContainersDirectory(), 0700));
  return pod.facts().Update([&](PodRecord& facts) {
    facts.set_task_attempted(true);
    if (pod.host_network()) return;
    facts.set_netns_path(netns::NetNs::PathFor(context.netns_dir, pod.id()));
    facts.set_network_attempted(true);
  });
}

// spec.volumes in Kubernetes' JSON; "" if it has none.
std::string VolumesOf(const Pod& pod) {
  const auto& annotations = pod.config().annotations();
  const auto found = annotations.find(kVolumesAnnotation);
  return found == annotations.end() ? "" : found->second;
}

// Whether pause has the pod's volumes. In a user namespace their files would be of ids that
// only its own processes can write; from the host they are mounted with other ids.
bool VolumesInPod(const Pod& pod, bool owns_mounts) {
  return owns_mounts && UserNamespaceOf(pod.config()) == nullptr;
}

// /dev/shm and the volumes in the host's mount namespace.
absl::Status MountOnHost(const PodContext& context, const Pod& pod) {
  CRISP_RETURN_IF_ERROR(MountShm(pod));
  const std::string volumes = VolumesOf(pod);
  if (volumes.empty()) return absl::OkStatus();
  return context.volumes->Prepare(PodIdentityOf(context, pod), volumes);
}

absl::StatusOr<TaskSpec> PauseTask(const PodContext& context, const Pod& pod,
                                   const std::string& userns_path, bool owns_mounts) {
  SandboxSpecInput input{
      .config = pod.config(),
      .host = context.host,
      .seccomp = context.seccomp,
      .sandbox_id = pod.id(),
      .netns_path = pod.facts().Read([](const PodRecord& f) { return f.netns_path(); }),
      .userns_path = userns_path,
      .hostname = PodHostname(pod, context.node_name),
      .cgroup_path = pod.cgroup_path(),
      .shm_path = pod.ShmPath(),
      .owns_mounts = owns_mounts};
  if (const std::string volumes = VolumesOf(pod);
      !volumes.empty() && VolumesInPod(pod, owns_mounts)) {
    CRISP_ASSIGN_OR_RETURN(const volumes::PodMounts mounts, context.volumes->Plan(volumes));
    if (mounts.tmpfs_bytes > 0) input.tmpfs.push_back({"/volumes", mounts.tmpfs_bytes});
    for (const auto& memory : mounts.memory) {
      input.tmpfs.push_back({absl::StrCat("/volumes/", memory.name), memory.bytes, "0777"});
    }
  }
  CRISP_ASSIGN_OR_RETURN(const nlohmann::json spec, BuildSandboxSpec(input));
  TaskSpec task;
  task.id = pod.id();
  task.sandbox_id = pod.id();
  task.is_sandbox = true;
  task.spec_json = spec.dump();
  task.cgroup_path = pod.cgroup_path();
  task.labels.insert(pod.config().labels().begin(), pod.config().labels().end());
  containerd::types::Mount root;
  root.set_type("bind");
  root.set_source(context.pause_rootfs);
  root.add_options("rbind");
  root.add_options("ro");
  task.rootfs.push_back(std::move(root));
  return task;
}

// The pause process's pid goes to disk with the next record: until then the driver
// finds it by the pod's id.
absl::Status StartPause(const PodContext& context, TaskDriver* driver, Pod& pod,
                        const std::string& userns_path) {
  CRISP_ASSIGN_OR_RETURN(const TaskSpec task,
                         PauseTask(context, pod, userns_path, driver->owns_pod_mounts()));
  CRISP_ASSIGN_OR_RETURN(const uint32_t pid, driver->Create(task));
  CRISP_FAILPOINT("run_pod/pause made");
  pod.facts().UpdateMemoryOnly([&](PodRecord& facts) { facts.set_pause_pid(pid); });
  CRISP_RETURN_IF_ERROR(driver->Start(pod.id()));
  CRISP_FAILPOINT("run_pod/pause started");
  return absl::OkStatus();
}

// With mounts of its own the pod needs its pause process before its volumes.
absl::Status StartWithOwnMounts(const PodContext& context, TaskDriver* driver, Pod& pod,
                                const std::string& userns_path) {
  CRISP_RETURN_IF_ERROR(Annotate(StartPause(context, driver, pod, userns_path), kStartPause));
  const std::string volumes = VolumesOf(pod);
  if (volumes.empty()) return absl::OkStatus();
  const auto place =
      VolumesInPod(pod, true) ? volumes::VolumePlace::kPod : volumes::VolumePlace::kHost;
  CRISP_RETURN_IF_ERROR(Annotate(
      context.volumes->Prepare(PodIdentityOf(context, pod), volumes, place), kPrepareFiles));
  CRISP_FAILPOINT("run_pod/volumes made");
  return absl::OkStatus();
}

// The files, and the network that one of them tells of.
absl::StatusOr<netns::PodNetworkResult> AttachNetwork(const PodContext& context, const Pod& pod,
                                                      const std::string& netns_path) {
  CRISP_RETURN_IF_ERROR(Annotate(WritePodFiles(pod, context.node_name), kPrepareFiles));
  CRISP_FAILPOINT("run_pod/files written");
  netns::PodNetworkResult network;
  if (!netns_path.empty()) {
    CRISP_ASSIGN_OR_RETURN(
        network, Annotate(context.network->Attach(AttachmentOf(pod, netns_path)), kNetwork));
    CRISP_FAILPOINT("run_pod/network attached");
  }
  CRISP_RETURN_IF_ERROR(
      Annotate(WriteHostsFile(pod, context.node_name, network.ips), kPrepareFiles));
  return network;
}

// The last record: the pod is whole.
absl::Status Finish(const PodContext& context, Pod& pod, const netns::PodNetworkResult& network) {
  bool ended = false;
  CRISP_RETURN_IF_ERROR(pod.facts().Update([&](PodRecord& facts) {
    for (const std::string& ip : network.ips) facts.add_ips(ip);
    facts.set_network_result(network.result_json);
    ended = facts.exited_at() != 0;
    facts.set_started(!ended);
  }));
  CRISP_FAILPOINT("run_pod/recorded");
  if (ended) return absl::InternalError("the pause process ended as soon as it had started");
  if (VolumesOf(pod).empty() || network.ips.empty()) return absl::OkStatus();
  return context.volumes->UpdateIdentity(PodIdentityOf(context, pod));
}

absl::StatusOr<std::optional<netns::UserNs>> MakeUserNamespace(const Pod& pod) {
  const auto* const wanted = UserNamespaceOf(pod.config());
  if (wanted == nullptr) return std::optional<netns::UserNs>();
  const auto ranges = [](const IdMappings& mappings) {
    std::vector<netns::IdRange> out;
    for (const auto& each : mappings) {
      out.push_back({each.container_id(), each.host_id(), each.length()});
    }
    return out;
  };
  CRISP_ASSIGN_OR_RETURN(netns::UserNs users,
                         netns::UserNs::Create({ranges(wanted->uids()), ranges(wanted->gids())}));
  return std::optional<netns::UserNs>(std::move(users));
}

// The network takes the longest, and most of that is waiting for plugins: all that can
// runs beside it.
absl::Status Prepare(const PodContext& context, Pod& pod) {
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver, context.handlers->Find(pod.runtime_handler()));
  CRISP_RETURN_IF_ERROR(Annotate(MakeDirectory(context, pod), "make the pod's directory"));
  CRISP_FAILPOINT("run_pod/intent recorded");
  // Lives until pause has joined it.
  CRISP_ASSIGN_OR_RETURN(const std::optional<netns::UserNs> users,
                         Annotate(MakeUserNamespace(pod), "make the pod's user namespace"));
  const std::string userns_path = users ? users->user_path() : "";
  std::string netns_path;
  if (!pod.host_network()) {
    // First: pause joins it.
    CRISP_ASSIGN_OR_RETURN(
        const netns::NetNs netns,
        Annotate(netns::NetNs::Create(context.netns_dir, pod.id(), users ? users->net_path() : ""),
                 kNetwork));
    netns_path = netns.path();
    CRISP_FAILPOINT("run_pod/namespace made");
  }
  absl::StatusOr<netns::PodNetworkResult> network = absl::UnknownError("not attempted");
  absl::Status beside;
  const bool owns_mounts = driver->owns_pod_mounts();
  SideBySide(2, 2, [&](size_t i) {
    if (i == 0) {
      network = AttachNetwork(context, pod, netns_path);
    } else {
      beside = owns_mounts ? StartWithOwnMounts(context, driver, pod, userns_path)
                           : Annotate(MountOnHost(context, pod), kPrepareFiles);
    }
  });
  CRISP_RETURN_IF_ERROR(beside);
  CRISP_RETURN_IF_ERROR(network.status());
  if (!owns_mounts) {
    CRISP_RETURN_IF_ERROR(Annotate(StartPause(context, driver, pod, userns_path), kStartPause));
  }
  return Annotate(Finish(context, pod, *network), "record the pod");
}

// Takes a half-made pod apart. What cannot be undone now stays listed, NOTREADY.
void Undo(const PodContext& context, Pod& pod) {
  absl::Status undone = StopPod(context, pod);
  if (undone.ok()) undone = RemovePod(context, pod);
  if (undone.ok()) return;
  LogError("a failed pod sandbox could not be undone; it stays, not ready",
           {{"sandbox", pod.id()}, {"error", undone}});
  pod.facts().UpdateMemoryOnly([&](PodRecord& facts) {
    facts.set_started(true);
    if (facts.exited_at() == 0) facts.set_exited_at(context.clock->NowNs());
  });
}

// kubelet's own securityContext.fsGroup has no field in CRI: who uses our volumes
// says it in an annotation.
absl::Status CheckFsGroup(const runtime::v1::PodSandboxConfig& config) {
  const auto found = config.annotations().find(kFsGroupAnnotation);
  if (found == config.annotations().end()) return absl::OkStatus();
  return ParseId(absl::StrCat("config.annotations[", kFsGroupAnnotation, "]"), found->second)
      .status();
}

absl::Status CheckUserNamespace(const runtime::v1::PodSandboxConfig& config,
                                const TaskDriver& driver) {
  if (UserNamespaceOf(config) == nullptr || driver.features().user_namespaces) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "config.linux.security_context.namespace_options.userns_options: this runtime handler, or "
      "this node's kernel or file system, has no user namespaces with idmapped mounts");
}

}  // namespace

volumes::PodIdentity PodIdentityOf(const PodContext& context, const Pod& pod) {
  const runtime::v1::PodSandboxConfig& config = pod.config();
  volumes::PodIdentity identity;
  identity.sandbox_id = pod.id();
  identity.name = config.metadata().name();
  identity.ns = config.metadata().namespace_();
  identity.uid = config.metadata().uid();
  identity.node_name = context.node_name;
  // What kubelet and our own callers add for the runtime is not the pod's.
  for (const auto& [key, value] : config.labels()) {
    if (!absl::StartsWith(key, "io.kubernetes.pod.")) identity.labels[key] = value;
  }
  for (const auto& [key, value] : config.annotations()) {
    if (!absl::StartsWith(key, "io.crisp.")) identity.annotations[key] = value;
  }
  if (const auto found = config.annotations().find(kFsGroupAnnotation);
      found != config.annotations().end()) {
    if (const auto gid = ParseId(kFsGroupAnnotation, found->second); gid.ok()) {
      identity.fs_group = *gid;
    }
  }
  pod.facts().Read([&](const PodRecord& facts) {
    identity.ips.assign(facts.ips().begin(), facts.ips().end());
    return 0;
  });
  return identity;
}

absl::StatusOr<std::shared_ptr<Pod>> RunPod(const PodContext& context,
                                            const runtime::v1::PodSandboxConfig& config,
                                            const std::string& runtime_handler) {
  CRISP_RETURN_IF_ERROR(ValidatePodSandboxConfig(config));
  CRISP_RETURN_IF_ERROR(CheckFsGroup(config));
  CRISP_ASSIGN_OR_RETURN(const TaskDriver* driver, context.handlers->Find(runtime_handler));
  CRISP_RETURN_IF_ERROR(CheckUserNamespace(config, *driver));
  CRISP_ASSIGN_OR_RETURN(std::shared_ptr<Pod> pod, Reserve(context, config, runtime_handler));
  auto undo = absl::MakeCleanup([&] { Undo(context, *pod); });
  CRISP_RETURN_IF_ERROR(
      Annotate(Prepare(context, *pod), "run pod ", PodDisplayName(config.metadata())));
  std::move(undo).Cancel();
  context.Tell(runtime::v1::CONTAINER_CREATED_EVENT, pod->id(), *pod);
  context.Tell(runtime::v1::CONTAINER_STARTED_EVENT, pod->id(), *pod);
  return pod;
}

}  // namespace crisp::cri
