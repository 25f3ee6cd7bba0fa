// Makes a pod's sandbox and its containers, one call of the runtime after the other.
//
// Whatever stops it half way (a crash too) leaves what the next decision deals with: a
// sandbox without containers, a container that was created and not started.
//
// Ownership: borrows the services. Threads: one pod's calls from one thread.
// Errors:    StartFailure says what to show and tells the events; Cancelled when the agent
//            ends, which is told to nobody.
#ifndef CRISP_AGENT_PODS_POD_STARTER_H_
#define CRISP_AGENT_PODS_POD_STARTER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/manifest/pod.h"
#include "agent/pod_config.h"
#include "agent/pods/pod_files.h"
#include "agent/pods/pod_services.h"
#include "agent/pods/pod_sync.h"
#include "agent/store/object.h"

namespace crisp::agent {

// A pod that is worked on.
struct PodContext {
  ObjectPtr object;
  std::string uid;
  Pod spec;
  PodFiles files;
  RuntimeTraits traits;
};

class PodStarter {
 public:
  explicit PodStarter(const PodServices* services) : s_(*services) {}

  // Of this attempt; the same each time.
  std::shared_ptr<const runtime::v1::PodSandboxConfig> SandboxConfig(const PodContext& pod,
                                                                     uint32_t attempt) const;

  absl::Status StartSandbox(const PodContext& pod, uint32_t attempt) const;

  struct Started {
    std::string id;
    std::optional<Waiting> failed;  // CreateContainerConfigError and the like.
    bool config_error = false;      // A change of an object may mend it.
    bool cancelled = false;
  };
  Started StartContainer(const PodContext& pod, const Container& container,
                         const StartAction& action, const SandboxState& sandbox,
                         const ImageFacts& image) const;

 private:
  PodInstance InstanceOf(const PodContext& pod, uint32_t attempt) const;
  absl::Status TakeUserNamespace(const PodContext& pod) const;

  const PodServices& s_;
};

// "spec.containers{web}"
std::string FieldPath(const std::string& container, bool init);

// The pod's addresses: the sandbox's own, or the node's in the host's network.
std::vector<std::string> PodAddresses(const Pod& pod, const SandboxState& sandbox,
                                      const std::string& host_ip);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_STARTER_H_
