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
#include "cri/spec/validate.h"

namespace crisp::cri {
namespace {

using Json = nlohmann::json;

// Pause outlives what runs in its pod: it is small, and with it the pod is gone.
constexpr int kOomScoreAdj = -998;
constexpr int kCpuShares = 2;

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

Json BuildMounts(const SandboxSpecInput& input) {
  // A network namespace has one sysfs, and its first mount decides whether any can
  // be written: pause makes room for the privileged containers that come later.
  Json out = DefaultMounts(
      {.privileged = input.config.linux().security_context().privileged(), .cgroup = false});
  if (!input.shm_path.empty()) {
    Json shm = MountToOci({"/dev/shm", input.shm_path});
    shm["options"] = {"rbind", "rprivate", "rw", "nosuid", "noexec", "nodev"};
    out.push_back(std::move(shm));
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
  Json linux_part = {
      {"namespaces", SandboxNamespaces(input.config, input.netns_path, input.host.cgroup_v2())},
      {"resources", {{"devices", DefaultDeviceRules()}, {"cpu", {{"shares", kCpuShares}}}}},
      {"maskedPaths", kMaskedPaths},
      {"readonlyPaths", kReadonlyPaths}};
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
