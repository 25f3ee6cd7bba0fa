#include "cri/spec/sandbox_spec.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/spec/annotations.h"
#include "cri/spec/capabilities.h"
#include "cri/spec/default_mounts.h"
#include "cri/spec/devices.h"
#include "cri/spec/field_text.h"
#include "cri/spec/namespaces.h"
#include "cri/spec/sysctls.h"
#include "cri/spec/user_namespace.h"
#include "cri/spec/validate.h"

namespace crisp::cri {
namespace {

using Json = nlohmann::json;

// Pause outlives what runs in its pod: it is small, and with it the pod is gone.
constexpr int kOomScoreAdj = -998;

// What /proc and /sys tell about the host, or let one do to it.
constexpr const char* kMaskedPaths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
};
constexpr const char* kReadonlyPaths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

bool Privileged(const SandboxSpecInput& input) {
  return input.config.linux().security_context().privileged();
}

// The mounts of a pod that owns them: containers' namespaces are made from this one, so
// that each mount here is one that every container's start has to take away again.
Json OwnMounts(const SandboxSpecInput& input) {
  Json out = Json::array();
  const auto add = [&out](const std::string& path, const char* type, const char* source,
                          std::vector<std::string> options) {
    options.insert(options.begin(), {"nosuid", "nodev"});
    out.push_back(
        {{"destination", path}, {"type", type}, {"source", source}, {"options", options}});
  };
  // In a user namespace a procfs or sysfs can be mounted only where one is to be seen
  // already, and containers look at this namespace.
  const bool users = UserNamespaceOf(input.config) != nullptr;
  if (users) add("/proc", "proc", "proc", {"noexec"});
  // A network namespace has one sysfs, and its first mount decides whether any can
  // be written: pause makes room for the privileged containers that come later.
  if (Privileged(input) || users) add("/sys", "sysfs", "sysfs", {"noexec", "rw"});
  if (!HostIpc(input.config)) out.push_back(PrivateShm());
  for (const PodTmpfs& each : input.tmpfs) {
    std::vector<std::string> options = {absl::StrCat("mode=", each.mode)};
    if (each.bytes > 0) options.push_back(absl::StrCat("size=", each.bytes));
    // Secrets stay out of swap where the kernel can keep them out.
    // In a user namespace it may not.
    if (input.host.kernel_at_least(6, 4) && !users) options.push_back("noswap");
    add(each.path, "tmpfs", "crisp-volumes", std::move(options));
  }
  return out;
}

Json BuildMounts(const SandboxSpecInput& input) {
  if (input.owns_mounts) return OwnMounts(input);
  // As in OwnMounts: a writable /sys for privileged pods.
  Json out = DefaultMounts({.privileged = Privileged(input), .cgroup = false});
  if (!input.shm_path.empty()) {
    out.push_back(MountToOci({.container_path = "/dev/shm",
                              .host_path = input.shm_path,
                              .options = {"nosuid", "noexec", "nodev"}}));
  }
  std::vector<SpecMount> mounts = input.mounts;
  SortByDepth(&mounts);
  for (const SpecMount& mount : mounts) out.push_back(MountToOci(mount));
  return out;
}

}  // namespace

absl::StatusOr<Json> BuildSandboxSpec(const SandboxSpecInput& input) {
  CRISP_RETURN_IF_ERROR(ValidatePodSandboxConfig(input.config));
  CRISP_ASSIGN_OR_RETURN(const auto sysctls, ResolveSysctls(input.config));

  Json process = {{"terminal", false},
                  {"user", {{"uid", 0}, {"gid", 0}}},
                  {"args", input.args},
                  {"env", {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
                  {"cwd", "/"},
                  {"capabilities", CapabilitiesToOci({})},
                  {"noNewPrivileges", true},
                  {"oomScoreAdj", ClampOomScoreAdj(kOomScoreAdj, input.host)}};
  Json linux_part = {{"namespaces", SandboxNamespaces(input.config, input.netns_path,
                                                      input.host.cgroup_v2(), input.userns_path)},
                     {"resources", {{"devices", DefaultDeviceRules()}}}};
  if (!input.owns_mounts) {
    linux_part["maskedPaths"] = kMaskedPaths;
    linux_part["readonlyPaths"] = kReadonlyPaths;
  } else if (Privileged(input)) {
    linux_part["maskedPaths"] = {"/sys/firmware", "/sys/devices/virtual/powercap"};
  }
  if (const auto* users = UserNamespaceOf(input.config); users != nullptr) {
    linux_part["uidMappings"] = MappingsToOci(users->uids());
    linux_part["gidMappings"] = MappingsToOci(users->gids());
  }
  if (!sysctls.empty()) linux_part["sysctl"] = sysctls;
  if (!input.cgroup_path.empty()) linux_part["cgroupsPath"] = input.cgroup_path;
  // The pod's own profile is for its containers; pause needs less than the default.
  if (input.host.seccomp) {
    CRISP_ASSIGN_OR_RETURN(linux_part["seccomp"], input.seccomp->RuntimeDefault(0));
  }
  if (const std::string propagation = RootfsPropagation(input.mounts); !propagation.empty()) {
    linux_part["rootfsPropagation"] = propagation;
  }

  Json spec = {
      {"ociVersion", "1.0.2"},
      {"process", std::move(process)},
      {"root", {{"path", input.rootfs}, {"readonly", true}}},
      {"mounts", BuildMounts(input)},
      {"linux", std::move(linux_part)},
      {"annotations", SandboxAnnotations(input.config, input.sandbox_id, input.pause_image)}};
  if (!HostNetwork(input.config) && !input.hostname.empty()) spec["hostname"] = input.hostname;
  return spec;
}

}  // namespace crisp::cri
