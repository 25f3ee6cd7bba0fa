// A Pod as CRI's messages. Pure: reads nothing but its arguments.
#ifndef CRISP_AGENT_POD_CONFIG_H_
#define CRISP_AGENT_POD_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/environment.h"
#include "agent/manifest/pod.h"
#include "agent/runtime/image_facts.h"
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
inline constexpr char kBackOffAnnotation[] = "io.crisp.back-off-ms";
inline constexpr char kImageAnnotation[] = "io.crisp.container-image";
// On the sandboxes of a node agent: the node's name.
inline constexpr char kNodeAgentAnnotation[] = "io.crisp.node-agent";
inline constexpr char kInitContainerAnnotation[] = "io.crisp.init-container";

// True for the annotations that the agent itself puts on a sandbox.
bool IsAgentAnnotation(const std::string& key);

// SHA-256, as hex, of what a pod cannot change while it runs: labels,
// annotations and spec.
std::string SpecHash(const Pod& pod);

// How many ids a pod with a user namespace of its own has: 0 to 65535 inside.
inline constexpr uint32_t kIdsPerPod = 1 << 16;

struct PodInstance {
  std::string uid;
  uint32_t attempt = 0;
  std::string log_directory;
  std::string host_resolv_conf;    // The node's, for dnsConfig that adds to it.
  std::string node_agent;          // The node's name if its agent keeps the pod, else empty.
  bool volume_annotations = true;  // False for a runtime that knows none.
  // The host's id of root inside, for users and groups alike; only with hostUsers: false.
  std::optional<uint32_t> first_host_id;
};

runtime::v1::PodSandboxConfig MakeSandboxConfig(const Pod& pod, const PodInstance& instance);

// One start of a container.
struct ContainerInstanceConfig {
  int restart_count = 0;
  // What to wait before the next start if this one does not run for long.
  absl::Duration next_back_off = absl::ZeroDuration();
  // Files and directories of the agent's own, besides the pod's volumes.
  struct HostMount {
    std::string container_path, host_path;
    bool read_only = false;
  };
  std::vector<HostMount> mounts;
  // False for a runtime that knows no volume annotations.
  bool volume_annotations = true;
};

// FailedPrecondition if runAsNonRoot cannot be kept.
absl::StatusOr<runtime::v1::ContainerConfig> MakeContainerConfig(
    const Pod& pod, const Container& container, const PodInstance& instance,
    const ImageFacts& image, const Environment& environment, int64_t node_memory_bytes,
    const ContainerInstanceConfig& start = {});

// As the runtime gets it; empty in the host's network.
std::string HostnameOf(const Pod& pod);

// "Guaranteed", "Burstable" or "BestEffort".
const char* QosClass(const Pod& pod);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_POD_CONFIG_H_
