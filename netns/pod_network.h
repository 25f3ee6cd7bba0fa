// The network of pods: CNI plugins where the node has a CNI configuration, else
// the built-in bridge.
//
// Ownership: the object owns no kernel state; networks of pods outlive it.
// Threads:   safe. Calls for one sandbox wait for each other, others run at once.
// Errors:    InvalidArgument: the pod asks for what cannot be (a port, a
//            bandwidth). AlreadyExists: a host port that another pod holds.
//            ResourceExhausted: no address left. FailedPrecondition: no usable
//            configuration. DeadlineExceeded: a plugin that hung and was killed.
// Crash:     an intent is on disk before anything else is touched. A pod that was
//            being attached when the process died is released by Release or by
//            CollectGarbage of the next one.
#ifndef CRISP_NETNS_POD_NETWORK_H_
#define CRISP_NETNS_POD_NETWORK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "netns/attachment.h"

namespace crisp::netns {

struct PodNetworkOptions {
  std::string conf_dir = "/etc/cni/net.d";
  std::vector<std::string> bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  std::string cache_dir = "/var/lib/crisp/cni";  // Results in libcni's form; attempts below it.
  absl::Duration plugin_timeout = absl::Seconds(60);  // For each plugin that is executed.

  bool builtin_enabled = true;  // Used while conf_dir holds no configuration.
  std::string builtin_state_dir = "/var/lib/crisp/network";
  std::string builtin_bridge = "crisp0";
  std::string builtin_subnet = "10.85.0.0/16";
};

class PodNetwork {
 public:
  virtual ~PodNetwork() = default;

  // Attaches the pod. On failure whatever was done has been undone; what could
  // not be undone is said in the message and left to Release. A pod that is
  // attached already is released first.
  virtual absl::StatusOr<PodNetworkResult> Attach(const PodAttachment& pod) = 0;

  // Undoes Attach, by the network and with the configuration that Attach used.
  // OK if there is nothing to undo; the namespace may be gone.
  virtual absl::Status Release(const PodAttachment& pod) = 0;

  // Whether the pod's network is still as Attach left it. NotFound if the pod is
  // not attached; Unimplemented if its network cannot tell.
  virtual absl::Status Check(const PodAttachment& pod) = 0;

  // OK if pods can be attached now; else the reason.
  virtual absl::Status Ready() = 0;

  // Releases every pod that is attached and not among `live_sandbox_ids`. For
  // start-up, before the first Attach. Goes on after a failure and reports it.
  virtual absl::Status CollectGarbage(const std::vector<std::string>& live_sandbox_ids) = 0;

  // What Status shows when asked to be verbose: JSON.
  virtual std::string Describe() = 0;

  // Takes the built-in network's bridge and NAT table away. FailedPrecondition
  // while a pod is on it; OK if there is none.
  virtual absl::Status RemoveBuiltin() = 0;
};

std::unique_ptr<PodNetwork> MakePodNetwork(PodNetworkOptions options);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_POD_NETWORK_H_
