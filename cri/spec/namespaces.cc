#include "cri/spec/namespaces.h"

#include "absl/strings/str_cat.h"
#include "cri/spec/field_text.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

using runtime::v1::NamespaceMode;
using runtime::v1::NamespaceOption;

constexpr char kField[] = "config.linux.security_context.namespace_options.";

nlohmann::json New(const char* type) { return {{"type", type}}; }
nlohmann::json Join(const char* type, const std::string& path) {
  return {{"type", type}, {"path", path}};
}

std::string ProcNs(pid_t pid, const char* name) {
  return absl::StrCat("/proc/", pid, "/ns/", name);
}

}  // namespace

const NamespaceOption& PodNamespaces(const runtime::v1::PodSandboxConfig& pod) {
  return pod.linux().security_context().namespace_options();
}
bool HostNetwork(const runtime::v1::PodSandboxConfig& pod) {
  return PodNamespaces(pod).network() == NamespaceMode::NODE;
}
bool HostIpc(const runtime::v1::PodSandboxConfig& pod) {
  return PodNamespaces(pod).ipc() == NamespaceMode::NODE;
}
bool HostPid(const runtime::v1::PodSandboxConfig& pod) {
  return PodNamespaces(pod).pid() == NamespaceMode::NODE;
}

nlohmann::json SandboxNamespaces(const runtime::v1::PodSandboxConfig& pod,
                                 const std::string& netns_path, bool private_cgroup,
                                 const std::string& userns_path) {
  nlohmann::json out = nlohmann::json::array({New("mount")});
  if (!userns_path.empty()) out.push_back(Join("user", userns_path));
  if (!HostNetwork(pod)) {
    out.push_back(netns_path.empty() ? New("network") : Join("network", netns_path));
    // With the host's network a pod has the host's name also.
    out.push_back(New("uts"));
  }
  if (!HostIpc(pod)) out.push_back(New("ipc"));
  // Pause is pid 1 of whatever it gets: the pod's shared pid namespace, or one
  // that nobody else joins when each container has its own.
  if (!HostPid(pod)) out.push_back(New("pid"));
  if (private_cgroup) out.push_back(New("cgroup"));
  return out;
}

absl::StatusOr<nlohmann::json> ContainerNamespaces(const ContainerNamespaceInput& input) {
  const NamespaceOption& wanted = input.config.linux().security_context().namespace_options();
  // The host's namespaces are the sandbox's to give: asking for them in a pod that
  // has its own would take a container out of its pod.
  if (wanted.network() == NamespaceMode::NODE && !HostNetwork(input.pod)) {
    return BadField(absl::StrCat(kField, "network"), "is NODE but the sandbox's is not");
  }
  if (wanted.ipc() == NamespaceMode::NODE && !HostIpc(input.pod)) {
    return BadField(absl::StrCat(kField, "ipc"), "is NODE but the sandbox's is not");
  }
  if (wanted.pid() == NamespaceMode::NODE && !HostPid(input.pod)) {
    return BadField(absl::StrCat(kField, "pid"), "is NODE but the sandbox's is not");
  }

  nlohmann::json out = nlohmann::json::array({New("mount")});
  if (UserNamespaceOf(input.pod) != nullptr) {
    out.push_back(Join("user", ProcNs(input.pause_pid, "user")));
  }
  if (!HostNetwork(input.pod)) {
    out.push_back(Join(
        "network", input.netns_path.empty() ? ProcNs(input.pause_pid, "net") : input.netns_path));
    out.push_back(Join("uts", ProcNs(input.pause_pid, "uts")));
  }
  if (wanted.ipc() == NamespaceMode::CONTAINER) {
    out.push_back(New("ipc"));
  } else if (!HostIpc(input.pod)) {
    out.push_back(Join("ipc", ProcNs(input.pause_pid, "ipc")));
  }
  switch (wanted.pid()) {
    case NamespaceMode::CONTAINER:
      out.push_back(New("pid"));
      break;
    case NamespaceMode::TARGET:
      if (input.target_pid <= 0) {
        return BadField(absl::StrCat(kField, "target_id"), "the container is not running");
      }
      out.push_back(Join("pid", ProcNs(input.target_pid, "pid")));
      break;
    default:
      if (!HostPid(input.pod)) out.push_back(Join("pid", ProcNs(input.pause_pid, "pid")));
  }
  if (input.private_cgroup) out.push_back(New("cgroup"));
  return out;
}

}  // namespace crisp::cri
