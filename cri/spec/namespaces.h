// Which namespaces a process gets: new ones, the pod's, another container's, or
// the host's (then there is no entry).
//
// Threads: free functions.
// Errors:  InvalidArgument naming the namespace option.
#ifndef CRISP_CRI_SPEC_NAMESPACES_H_
#define CRISP_CRI_SPEC_NAMESPACES_H_

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

const runtime::v1::NamespaceOption& PodNamespaces(const runtime::v1::PodSandboxConfig& pod);
bool HostNetwork(const runtime::v1::PodSandboxConfig& pod);
bool HostIpc(const runtime::v1::PodSandboxConfig& pod);
bool HostPid(const runtime::v1::PodSandboxConfig& pod);

// OCI linux.namespaces of pause. Cgroup namespaces are private only where cgroup
// v2 makes them safe, `private_cgroup`.
// `userns_path` is a user namespace to join, "" the host's.
nlohmann::json SandboxNamespaces(const runtime::v1::PodSandboxConfig& pod,
                                 const std::string& netns_path, bool private_cgroup,
                                 const std::string& userns_path = "");

struct ContainerNamespaceInput {
  const runtime::v1::ContainerConfig& config;
  const runtime::v1::PodSandboxConfig& pod;
  pid_t pause_pid;
  pid_t target_pid;
  std::string netns_path;
  bool private_cgroup;
};
absl::StatusOr<nlohmann::json> ContainerNamespaces(const ContainerNamespaceInput& input);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_NAMESPACES_H_
