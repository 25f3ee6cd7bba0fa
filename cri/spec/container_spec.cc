#include "cri/spec/container_spec.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/spec/annotations.h"
#include "cri/spec/capabilities.h"
#include "cri/spec/cdi.h"
#include "cri/spec/default_mounts.h"
#include "cri/spec/deprecated_fields.h"
#include "cri/spec/devices.h"
#include "cri/spec/field_text.h"
#include "cri/spec/lsm.h"
#include "cri/spec/namespaces.h"
#include "cri/spec/process.h"
#include "cri/spec/resources.h"
#include "cri/spec/user_namespace.h"
#include "cri/spec/validate.h"

namespace crisp::cri {
namespace {

using Json = nlohmann::json;

const runtime::v1::LinuxContainerSecurityContext& SecurityOf(const ContainerSpecInput& input) {
  return input.config.linux().security_context();
}

bool OwnIpc(const ContainerSpecInput& input) {
  return SecurityOf(input).namespace_options().ipc() == runtime::v1::NamespaceMode::CONTAINER;
}

bool PrivateCgroup(const ContainerSpecInput& input) {
  return input.host.cgroup_v2() && !SecurityOf(input).privileged();
}

// Something asked for at a default's place replaces it, and a /dev of one's own
// replaces everything below it.
bool Overridden(const std::string& destination, const std::vector<SpecMount>& requested) {
  return MountsAt(requested, destination) ||
         (MountsAt(requested, "/dev") && absl::StartsWith(destination, "/dev/"));
}

Json PodFile(const std::string& path, const char* container_path, bool read_only) {
  return MountToOci({.container_path = container_path, .host_path = path, .read_only = read_only});
}

Json BuildMounts(const ContainerSpecInput& input, const std::vector<SpecMount>& requested) {
  const auto& security = SecurityOf(input);
  Json all = DefaultMounts({.privileged = security.privileged(),
                            .cgroup = true,
                            .private_cgroup = PrivateCgroup(input),
                            .cgroup_v2 = input.host.cgroup_v2()});
  if (OwnIpc(input)) {
    all.push_back(PrivateShm());
  } else if (!input.shm_path.empty()) {
    all.push_back(MountToOci({.container_path = "/dev/shm",
                              .host_path = input.shm_path,
                              .options = {"nosuid", "noexec", "nodev"},
                              .from_pod = input.shm_from_pod}));
  }
  const struct {
    const std::string& path;
    const char* container_path;
  } files[] = {{input.hosts_path, "/etc/hosts"},
               {input.hostname_path, "/etc/hostname"},
               {input.resolv_path, "/etc/resolv.conf"}};
  for (const auto& file : files) {
    if (file.path.empty()) continue;
    all.push_back(PodFile(file.path, file.container_path, security.readonly_rootfs()));
  }
  Json kept = Json::array();
  for (Json& mount : all) {
    if (!Overridden(mount["destination"].get<std::string>(), requested)) {
      kept.push_back(std::move(mount));
    }
  }
  for (const SpecMount& mount : requested) kept.push_back(MountToOci(mount));
  return kept;
}

absl::StatusOr<Json> PathList(const char* field,
                              const google::protobuf::RepeatedPtrField<std::string>& paths) {
  Json out = Json::array();
  for (int i = 0; i < paths.size(); ++i) {
    const std::string name = absl::StrCat("config.linux.security_context.", field, "[", i, "]");
    CRISP_ASSIGN_OR_RETURN(std::string clean, CheckContainerPath(name, paths[i]));
    out.push_back(std::move(clean));
  }
  return out;
}

absl::StatusOr<Json> BuildLinuxResources(const ContainerSpecInput& input, Json device_rules) {
  CRISP_ASSIGN_OR_RETURN(Json resources,
                         BuildResources(input.config.linux().resources(), input.host));
  resources["devices"] = std::move(device_rules);
  if (input.pids_limit > 0 && input.host.has_controller("pids")) {
    resources["pids"] = {{"limit", input.pids_limit}};
  }
  return resources;
}

absl::Status AddConfinement(const ContainerSpecInput& input, const CapabilitySets& capabilities,
                            Json* spec) {
  const auto& security = SecurityOf(input);
  Json& linux_part = (*spec)["linux"];
  if (!security.privileged()) {
    CRISP_ASSIGN_OR_RETURN(linux_part["maskedPaths"],
                           PathList("masked_paths", security.masked_paths()));
    CRISP_ASSIGN_OR_RETURN(linux_part["readonlyPaths"],
                           PathList("readonly_paths", security.readonly_paths()));
  }
  CRISP_ASSIGN_OR_RETURN(
      Json seccomp, input.seccomp->Resolve(security.has_seccomp() ? &security.seccomp() : nullptr,
                                           OldSeccompProfile(security), security.privileged(),
                                           capabilities.bounding));
  if (!seccomp.is_null()) linux_part["seccomp"] = std::move(seccomp);
  CRISP_ASSIGN_OR_RETURN(const std::string apparmor,
                         ApparmorProfile(security, input.host, input.apparmor_default));
  if (!apparmor.empty()) (*spec)["process"]["apparmorProfile"] = apparmor;
  CRISP_ASSIGN_OR_RETURN(
      const SelinuxLabels labels,
      SelinuxLabelsOf(security, input.pod.linux().security_context(), input.host));
  if (!labels.process.empty()) (*spec)["process"]["selinuxLabel"] = labels.process;
  if (!labels.mount.empty()) linux_part["mountLabel"] = labels.mount;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SpecMount>> RequestedMounts(const ContainerSpecInput& input) {
  MountContext context;
  CRISP_ASSIGN_OR_RETURN(context.host_mounts, ReadMountInfo());
  context.recursive_read_only = input.recursive_read_only;
  context.image_volumes = input.image_volumes;
  if (const auto* users = UserNamespaceOf(input.pod); users != nullptr) {
    context.uid_mappings = MappingsToOci(users->uids());
    context.gid_mappings = MappingsToOci(users->gids());
  }
  CRISP_ASSIGN_OR_RETURN(std::vector<SpecMount> mounts, ResolveCriMounts(input.config, context));
  for (const SpecMount& extra : input.extra_mounts) {
    if (MountsAt(mounts, extra.container_path)) {
      return BadField("config.mounts", absl::StrCat(Quoted(extra.container_path),
                                                    " is also the mount path of a volume"));
    }
  }
  mounts.insert(mounts.begin(), input.extra_mounts.begin(), input.extra_mounts.end());
  SortByDepth(&mounts);
  return mounts;
}

absl::StatusOr<Json> BuildContainerSpec(const ContainerSpecInput& input) {
  CRISP_RETURN_IF_ERROR(ValidateContainerConfig(input.config, input.pod));
  const auto& security = SecurityOf(input);
  const bool privileged = security.privileged();

  CRISP_ASSIGN_OR_RETURN(
      const CapabilitySets capabilities,
      ResolveCapabilities(security.capabilities(), privileged, input.host.capability_bounds));
  CRISP_ASSIGN_OR_RETURN(Json process, BuildProcess({input.config, input.image, input.user,
                                                     capabilities, input.host, input.hostname}));
  CRISP_ASSIGN_OR_RETURN(
      Json namespaces,
      ContainerNamespaces({input.config, input.pod, input.pause_pid, input.target_pid,
                           input.netns_path, PrivateCgroup(input)}));
  CRISP_ASSIGN_OR_RETURN(OciDevices devices, BuildDevices(input.config, privileged));
  CRISP_ASSIGN_OR_RETURN(Json resources, BuildLinuxResources(input, std::move(devices.rules)));

  Json spec = {
      {"ociVersion", "1.0.2"},
      {"process", std::move(process)},
      {"root", {{"path", input.rootfs}, {"readonly", security.readonly_rootfs()}}},
      {"linux", {{"namespaces", std::move(namespaces)}, {"resources", std::move(resources)}}},
      {"annotations", ContainerAnnotations(input.config, input.pod, input.sandbox_id)}};
  if (const auto* users = UserNamespaceOf(input.pod); users != nullptr) {
    spec["linux"]["uidMappings"] = MappingsToOci(users->uids());
    spec["linux"]["gidMappings"] = MappingsToOci(users->gids());
  }
  if (!devices.nodes.empty()) spec["linux"]["devices"] = std::move(devices.nodes);
  if (!input.cgroup_path.empty()) spec["linux"]["cgroupsPath"] = input.cgroup_path;
  CRISP_RETURN_IF_ERROR(AddConfinement(input, capabilities, &spec));

  // Last, because a mount's missing source is made on the host: a request that is
  // wrong elsewhere must change nothing.
  CRISP_ASSIGN_OR_RETURN(const std::vector<SpecMount> requested, RequestedMounts(input));
  spec["mounts"] = BuildMounts(input, requested);
  if (const std::string propagation = RootfsPropagation(requested); !propagation.empty()) {
    spec["linux"]["rootfsPropagation"] = propagation;
  }
  CRISP_RETURN_IF_ERROR(InjectCdiDevices(CdiDeviceNames(input.config), input.cdi_dirs, &spec));
  return spec;
}

}  // namespace crisp::cri
