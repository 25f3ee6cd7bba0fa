// What the pod manager asks of a container runtime. One implementation speaks CRI
// (cri_runtime.h), one is memory for tests (fake_runtime.h); nothing here needs gRPC.
//
// Ownership: as the implementation says.
// Threads:   safe; calls block.
// Errors:    CRI's codes. Unavailable: the runtime cannot be reached. NotFound never
//            comes from Stop or Remove: what is gone is stopped.
#ifndef CRISP_AGENT_RUNTIME_POD_RUNTIME_H_
#define CRISP_AGENT_RUNTIME_POD_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/runtime/image_facts.h"
#include "agent/runtime/pod_state.h"
#include "agent/runtime/registry_credentials.h"

namespace runtime::v1 {
class ContainerConfig;
class PodSandboxConfig;
}  // namespace runtime::v1

namespace crisp::agent {

struct ExecResult {
  int exit_code = 0;
  std::string output;  // stdout, then stderr.
};

class PodRuntime {
 public:
  virtual ~PodRuntime() = default;

  // "crisp", "containerd", ...: the scheme of container ids in a status.
  virtual absl::StatusOr<std::string> Name() = 0;
  // False for a runtime without the service crisp.volumes.v1.
  virtual absl::StatusOr<bool> HasVolumes() = 0;

  // True if pods of that handler may have user namespaces. NotFound if it does not say that it
  // has the handler.
  virtual absl::StatusOr<bool> HasUserNamespaces(const std::string& handler) = 0;

  // Every pod, as far as a list shows it: no addresses, times or exit codes.
  virtual absl::StatusOr<std::vector<RuntimePod>> ListPods() = 0;
  // Everything about one pod; empty lists if the runtime has nothing of it.
  virtual absl::StatusOr<RuntimePod> GetPod(const std::string& uid) = 0;

  // Calls `changed` with the uid of each pod of which something began, ended or went
  // away (empty if the event does not say), and `connected` once the stream is asked for:
  // a little later nothing is missed.
  // Returns when the stream ends: Unimplemented if the runtime has none, OK after
  // CancelAll. One Watch at a time.
  virtual absl::Status Watch(const std::function<void()>& connected,
                             const std::function<void(const std::string& uid)>& changed) = 0;
  // Ends every call under way, and every later one, as Cancelled: nobody waits for a pull.
  virtual void CancelAll() = 0;

  virtual absl::StatusOr<std::string> RunPodSandbox(const runtime::v1::PodSandboxConfig& config,
                                                    const std::string& handler) = 0;
  virtual absl::Status StopPodSandbox(const std::string& id) = 0;
  virtual absl::Status RemovePodSandbox(const std::string& id) = 0;

  virtual absl::StatusOr<std::string> CreateContainer(
      const std::string& sandbox_id, const runtime::v1::ContainerConfig& config,
      const runtime::v1::PodSandboxConfig& sandbox_config) = 0;
  virtual absl::Status StartContainer(const std::string& id) = 0;
  virtual absl::Status StopContainer(const std::string& id, absl::Duration grace) = 0;
  virtual absl::Status RemoveContainer(const std::string& id) = 0;

  // The pod's downwardAPI files tell of these labels and annotations from now on. OK if it has
  // no such files; Unimplemented if the runtime cannot do it.
  virtual absl::Status UpdatePod(const std::string& sandbox_id,
                                 const std::map<std::string, std::string>& labels,
                                 const std::map<std::string, std::string>& annotations) = 0;

  // DeadlineExceeded if the command did not end in time; a non-zero exit is a result.
  virtual absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                              const std::vector<std::string>& command,
                                              absl::Duration timeout) = 0;

  // nullopt if the node does not have it.
  virtual absl::StatusOr<std::optional<ImageFacts>> ImageStatus(const std::string& image) = 0;
  // Returns what ImageStatus takes. Without `credentials` the runtime uses its own, if it has any.
  virtual absl::StatusOr<std::string> PullImage(
      const std::string& image, const std::optional<RegistryCredentials>& credentials,
      const runtime::v1::PodSandboxConfig& pod) = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_POD_RUNTIME_H_
