// A Pod as CRI's messages. Pure: reads nothing but its arguments.
#ifndef CRISP_AGENT_POD_CONFIG_H_
#define CRISP_AGENT_POD_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/environment.h"
#include "agent/manifest/pod.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::agent {

// Labels and annotations by which pods are found again.
inline constexpr char kPodNameLabel[] = "io.kubernetes.pod.name";
inline constexpr char kPodNamespaceLabel[] = "io.kubernetes.pod.namespace";
inline constexpr char kPodUidLabel[] = "io.kubernetes.pod.uid";
inline constexpr char kContainerNameLabel[] = "io.kubernetes.container.name";
inline constexpr char kVolumesAnnotation[] = "io.crisp.volumes";
inline constexpr char kVolumeMountsAnnotation[] = "io.crisp.volume-mounts";
inline constexpr char kFsGroupAnnotation[] = "io.crisp.fs-group";
inline constexpr char kSpecAnnotation[] = "io.crisp.pod-spec";
inline constexpr char kSpecHashAnnotation[] = "io.crisp.spec-hash";
inline constexpr char kRestartCountAnnotation[] = "io.kubernetes.container.restartCount";
inline constexpr char kInitContainerAnnotation[] = "io.crisp.init-container";

// True for the annotations that the agent itself puts on a sandbox.
bool IsAgentAnnotation(const std::string& key);

// SHA-256, as hex, of what a pod cannot change while it runs: labels,
// annotations and spec.
std::string SpecHash(const Pod& pod);

struct PodInstance {
  std::string uid;
  uint32_t attempt = 0;
  std::string log_directory;
  std::string host_resolv_conf;  // The node's, for dnsConfig that adds to it.
};

runtime::v1::PodSandboxConfig MakeSandboxConfig(const Pod& pod, const PodInstance& instance);

// What the image says about its user (ImageStatus).
struct ImageFacts {
  std::string id;
  bool has_uid = false;
  int64_t uid = 0;
  std::string username;
};

// FailedPrecondition if runAsNonRoot cannot be kept.
absl::StatusOr<runtime::v1::ContainerConfig> MakeContainerConfig(
    const Pod& pod, const Container& container, const PodInstance& instance,
    const ImageFacts& image, const Environment& environment, int64_t node_memory_bytes);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_POD_CONFIG_H_
