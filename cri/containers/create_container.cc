#include "cri/containers/create_container.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/containers/container_rootfs.h"
#include "cri/containers/image_volumes.h"
#include "cri/containers/remove_container.h"
#include "cri/images/image_store.h"
#include "cri/pods/pod_files.h"
#include "cri/spec/container_spec.h"
#include "cri/spec/resources.h"
#include "cri/spec/stop_signal.h"
#include "cri/spec/user.h"
#include "cri/spec/user_namespace.h"
#include "cri/spec/validate.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;
using state::v1::PodRecord;

ImageConfigView ViewOf(const ImageConfig& config) {
  return {.env = config.env,
          .entrypoint = config.entrypoint,
          .cmd = config.cmd,
          .working_dir = config.working_dir,
          .user = config.user,
          .stop_signal = config.stop_signal};
}

absl::StatusOr<Image> FindImage(const ContainerContext& context,
                                const runtime::v1::ContainerConfig& config) {
  auto image = context.images->Resolve(config.image().image());
  if (image.ok()) return image;
  return Annotate(image, "config.image.image");
}

std::string ContainerCgroup(const Pod& pod, const std::string& id) {
  return JoinPath(pod.cgroup_path().substr(0, pod.cgroup_path().rfind('/')), id);
}

// The container as it will be known, in no store and on no disk yet.
std::shared_ptr<Container> Draft(const ContainerContext& context, const std::shared_ptr<Pod>& pod,
                                 const runtime::v1::ContainerConfig& config, const Image& image) {
  ContainerRecord record;
  record.set_id(NewId());
  record.set_pod_id(pod->id());
  *record.mutable_config() = config;
  record.set_created_at(context.node->clock->NowNs());
  record.set_image_id(image.id);
  record.set_image_ref(image.repo_digests.empty() ? image.id : image.repo_digests.front());
  record.set_cgroup_path(ContainerCgroup(*pod, record.id()));
  if (!pod->config().log_directory().empty() && !config.log_path().empty()) {
    record.set_log_path(JoinPath(pod->config().log_directory(), config.log_path()));
  }
  *record.mutable_resources()->mutable_linux() = HeldResources(config.linux().resources());
  return std::make_shared<Container>(pod, context.node->boot_id, std::move(record));
}

// The environment as the process will see it, for subPathExpr.
std::map<std::string, std::string> Environment(const ImageConfig& image,
                                               const runtime::v1::ContainerConfig& config) {
  std::map<std::string, std::string> environment;
  for (const std::string& entry : image.env) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(entry, absl::MaxSplits('=', 1));
    environment[parts.first] = parts.second;
  }
  for (const runtime::v1::KeyValue& entry : config.envs()) environment[entry.key()] = entry.value();
  return environment;
}

volumes::ContainerResourceValues ResourceValues(
    const runtime::v1::LinuxContainerResources& resources) {
  volumes::ContainerResourceValues values;
  if (resources.cpu_quota() > 0 && resources.cpu_period() > 0) {
    values.cpu_limit_milli = resources.cpu_quota() * 1000 / resources.cpu_period();
  }
  // CRI carries a request as shares, 1024 to a CPU.
  if (resources.cpu_shares() > 2) values.cpu_request_milli = resources.cpu_shares() * 1000 / 1024;
  if (resources.memory_limit_in_bytes() > 0) {
    values.memory_limit_bytes = resources.memory_limit_in_bytes();
  }
  return values;
}

Propagation PropagationOf(const std::string& word) {
  if (word == "rshared") return Propagation::kShared;
  return word == "rslave" ? Propagation::kSlave : Propagation::kPrivate;
}

absl::StatusOr<std::vector<SpecMount>> ResolveVolumes(const ContainerContext& context,
                                                      const Container& container,
                                                      const ImageConfig& image, ImagePins* pins) {
  const auto& annotations = container.config().annotations();
  const auto found = annotations.find(kVolumeMountsAnnotation);
  if (found == annotations.end()) return std::vector<SpecMount>();
  CRISP_ASSIGN_OR_RETURN(
      const std::vector<volumes::VolumeMount> resolved,
      context.node->volumes->Resolve(container.pod()->id(), container.id(),
                                     container.config().metadata().name(), found->second,
                                     Environment(image, container.config()),
                                     ResourceValues(container.config().linux().resources())));
  const auto* const users = UserNamespaceOf(container.pod()->config());
  std::vector<SpecMount> mounts;
  for (const volumes::VolumeMount& mount : resolved) {
    mounts.push_back({.container_path = mount.container_path,
                      .host_path = mount.host_path,
                      .read_only = mount.read_only,
                      .recursive_read_only = mount.recursive_read_only,
                      .propagation = PropagationOf(mount.propagation),
                      .from_pod = mount.from_pod,
                      .sub_path = mount.sub_path});
    if (!mount.image.empty()) {
      CRISP_ASSIGN_OR_RETURN(
          const ImageVolume volume,
          MakeImageVolume(context, container, absl::StrCat("volume-", mounts.size() - 1),
                          mount.field, mount.image, mount.sub_path, pins));
      UseImage(volume.mount, &mounts.back());
    }
    if (users == nullptr || mount.from_pod) continue;
    // What fills the volume knows nothing of the pod's ids.
    mounts.back().uid_mappings = MappingsToOci(users->uids());
    mounts.back().gid_mappings = MappingsToOci(users->gids());
  }
  return mounts;
}

absl::StatusOr<pid_t> TargetPid(const ContainerContext& context, const Container& container) {
  const auto& options = container.config().linux().security_context().namespace_options();
  if (options.pid() != runtime::v1::TARGET) return 0;
  const std::string field = "config.linux.security_context.namespace_options.target_id";
  auto target = context.containers->Find(options.target_id());
  if (!target.ok()) return Annotate(target.status(), field);
  if ((*target)->pod() != container.pod()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": not a container of this pod"));
  }
  if ((*target)->state() != runtime::v1::CONTAINER_RUNNING) {
    return absl::FailedPreconditionError(absl::StrCat(field, ": not running"));
  }
  return static_cast<pid_t>(
      (*target)->facts().Read([](const ContainerRecord& facts) { return facts.pid(); }));
}

absl::StatusOr<nlohmann::json> BuildSpec(const ContainerContext& context,
                                         const Container& container, const Image& image,
                                         const ResolvedUser& user,
                                         std::vector<SpecMount> volume_mounts,
                                         const std::map<int, ImageVolume>& image_volumes) {
  const Pod& pod = *container.pod();
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver, context.node->handlers->Find(pod.runtime_handler()));
  const bool shm_from_pod = driver->owns_pod_mounts() && !pod.host_ipc();
  const auto [pause_pid, netns_path] = pod.facts().Read([](const PodRecord& facts) {
    return std::make_pair(static_cast<pid_t>(facts.pause_pid()), facts.netns_path());
  });
  const ImageConfigView image_view = ViewOf(image.config);
  CRISP_ASSIGN_OR_RETURN(const pid_t target_pid, TargetPid(context, container));
  ContainerSpecInput input{.config = container.config(),
                           .pod = pod.config(),
                           .image = image_view,
                           .host = context.node->host,
                           .seccomp = context.node->seccomp,
                           .container_id = container.id(),
                           .sandbox_id = pod.id(),
                           .pause_pid = pause_pid,
                           .netns_path = netns_path,
                           .target_pid = target_pid,
                           .hostname = PodHostname(pod, context.node->node_name),
                           .cgroup_path = ContainerCgroup(pod, container.id()),
                           .user = user,
                           .shm_path = shm_from_pod ? "/dev/shm" : pod.ShmPath(),
                           .shm_from_pod = shm_from_pod,
                           .hosts_path = pod.HostsPath(),
                           .hostname_path = pod.HostnamePath(),
                           .resolv_path = pod.ResolvConfPath(),
                           .extra_mounts = std::move(volume_mounts),
                           .cdi_dirs = context.node->cdi_dirs,
                           .recursive_read_only = driver->features().recursive_read_only,
                           .apparmor_default = context.node->apparmor_default};
  for (const auto& [index, volume] : image_volumes) {
    input.image_volumes[index] = volume.mount;
  }
  return BuildContainerSpec(input);
}

// In a user namespace only mapped ids can run a process.
absl::Status CheckMapped(const Pod& pod, const ResolvedUser& user) {
  const auto* const users = UserNamespaceOf(pod.config());
  if (users == nullptr) return absl::OkStatus();
  absl::Status mapped = OutsideId(users->uids(), user.uid).status();
  mapped.Update(OutsideId(users->gids(), user.gid).status());
  for (const uint32_t gid : user.additional_gids) {
    mapped.Update(OutsideId(users->gids(), gid).status());
  }
  if (mapped.ok()) return mapped;
  return absl::InvalidArgumentError(absl::StrCat("the user of the container: ", mapped.message(),
                                                 " in the pod's user namespace"));
}

runtime::v1::ContainerUser UserForStatus(const ResolvedUser& user) {
  runtime::v1::ContainerUser out;
  out.mutable_linux()->set_uid(user.uid);
  out.mutable_linux()->set_gid(user.gid);
  for (const uint32_t gid : user.additional_gids) {
    out.mutable_linux()->add_supplemental_groups(gid);
  }
  return out;
}

// What Make has pinned so far, for it to be recorded or let go of.
struct Pins {
  std::string layers_key;
  ImagePins images;
};

void Unpin(const ContainerContext& context, const Container& container, const Pins& pins) {
  absl::Status unpinned = UnpinImages(context, pins.images);
  if (!pins.layers_key.empty()) {
    unpinned.Update(context.images->UnpinLayers(pins.layers_key, container.id()));
  }
  if (unpinned.ok()) return;
  LogWarn("layers of a container that could not be made stay pinned until crispd starts again",
          {{"container", container.id()}, {"error", unpinned}});
}

absl::Status Make(const ContainerContext& context, Container& container, const Image& image) {
  Pins pins;
  auto unpin = absl::MakeCleanup([&] { Unpin(context, container, pins); });
  // The record comes before the snapshot: what recovery finds, it can undo.
  const bool snapshot = !PinsLayers(context, container, image);
  CRISP_RETURN_IF_ERROR(container.facts().Update([&](ContainerRecord& facts) {
    if (snapshot) facts.set_snapshot_key(container.id());
  }));
  CRISP_FAILPOINT("create_container/intent recorded");
  CRISP_ASSIGN_OR_RETURN(
      const int stop_signal,
      EffectiveStopSignal(container.config().stop_signal(), image.config.stop_signal));
  CRISP_ASSIGN_OR_RETURN(
      const ContainerRootfs rootfs,
      Annotate(MakeRootfs(context, container, image), "prepare the root filesystem"));
  pins.layers_key = rootfs.layers_key;
  CRISP_FAILPOINT("create_container/root made");
  CRISP_ASSIGN_OR_RETURN(const ResolvedUser user,
                         ResolveUser(container.config().linux().security_context(),
                                     image.config.user, rootfs.view->get()));
  CRISP_RETURN_IF_ERROR(CheckMapped(*container.pod(), user));
  CRISP_ASSIGN_OR_RETURN(std::vector<SpecMount> volume_mounts,
                         ResolveVolumes(context, container, image.config, &pins.images));
  CRISP_ASSIGN_OR_RETURN(const auto image_volumes,
                         MakeImageVolumes(context, container, &pins.images));
  CRISP_FAILPOINT("create_container/volumes resolved");
  CRISP_ASSIGN_OR_RETURN(
      const nlohmann::json spec,
      BuildSpec(context, container, image, user, std::move(volume_mounts), image_volumes));
  CRISP_RETURN_IF_ERROR(container.facts().Update([&](ContainerRecord& facts) {
    facts.set_spec_json(spec.dump());
    facts.set_layers_key(rootfs.layers_key);
    facts.mutable_lower_dirs()->Assign(rootfs.lower_dirs.begin(), rootfs.lower_dirs.end());
    facts.set_stop_signal(stop_signal);
    *facts.mutable_user() = UserForStatus(user);
    for (const auto& [index, volume] : image_volumes) {
      (*facts.mutable_image_volumes())[index] = volume.image_id;
    }
    for (const auto& [user, key] : pins.images) (*facts.mutable_image_pins())[user] = key;
    facts.set_created(true);
  }));
  std::move(unpin).Cancel();
  return absl::OkStatus();
}

// Reasons that kubelet shows to users: it looks for them where the message begins.
bool HasReason(const absl::Status& status) {
  return absl::StartsWith(status.message(), "ImageVolumeMountFailed") ||
         absl::StartsWith(status.message(), "RROUnsupported");
}

absl::Status CheckPrivileged(const Pod& pod, const runtime::v1::ContainerConfig& config) {
  if (config.linux().security_context().privileged() &&
      !pod.config().linux().security_context().privileged()) {
    return absl::InvalidArgumentError(
        "config.linux.security_context.privileged: the pod sandbox is not privileged");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<Container>> CreateContainer(
    const ContainerContext& context, const std::shared_ptr<Pod>& pod,
    const runtime::v1::ContainerConfig& config) {
  CRISP_RETURN_IF_ERROR(ValidateContainerConfig(config, pod->config()));
  CRISP_RETURN_IF_ERROR(CheckPrivileged(*pod, config));
  if (!pod->ready()) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod sandbox ", pod->id(), " is not ready; no container can join it"));
  }
  CRISP_ASSIGN_OR_RETURN(const Image image, FindImage(context, config));
  const std::shared_ptr<Container> container = Draft(context, pod, config, image);
  auto undo = absl::MakeCleanup([&] {
    if (const absl::Status undone = RemoveContainer(context, *container); !undone.ok()) {
      LogError("a failed container could not be undone; the next start of crispd tries again",
               {{"container", container->id()}, {"error", undone}});
    }
  });
  // Whoever removes the pod meanwhile finds the container in the store, and waits
  // for the claim, until there is something whole to remove.
  CRISP_ASSIGN_OR_RETURN(const Claim claim,
                         container->claim().ClaimFor("create it", absl::ZeroDuration()));
  if (const absl::Status added = context.containers->Add(container); !added.ok()) {
    std::move(undo).Cancel();
    return added;
  }
  if (const absl::Status made = Make(context, *container, image); !made.ok()) {
    return HasReason(made) ? made : Annotate(made, "create container ", config.metadata().name());
  }
  std::move(undo).Cancel();
  CRISP_FAILPOINT("create_container/recorded");
  context.Tell(runtime::v1::CONTAINER_CREATED_EVENT, *container);
  return container;
}

}  // namespace crisp::cri
