// The network that works without any configuration: a bridge, a veth pair and an
// address for each pod, masquerade and host ports. IPv4 only.
//
// Everything is done over netlink in this process. The bridge and the NAT table
// are made with the first pod and stay when the last one goes, until Remove().
// Bandwidth annotations are not applied.
//
// Ownership: kernel state outlives the object.
// Threads:   safe; calls for one sandbox must be serialised by the caller.
// Errors:    see netns/pod_network.h.
// Crash:     the reservation is on disk before the first link is made.
#ifndef CRISP_NETNS_BUILTIN_BUILTIN_NETWORK_H_
#define CRISP_NETNS_BUILTIN_BUILTIN_NETWORK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "netns/attachment.h"
#include "netns/builtin/nat_table.h"
#include "netns/builtin/reservations.h"
#include "netns/rtnl.h"

namespace crisp::netns {

class BuiltinNetwork {
 public:
  // InvalidArgument for a bridge name or a subnet that cannot be.
  static absl::StatusOr<std::unique_ptr<BuiltinNetwork>> Make(const std::string& state_dir,
                                                              const std::string& bridge,
                                                              const std::string& subnet);

  absl::StatusOr<bool> Knows(const std::string& sandbox_id);
  absl::StatusOr<PodNetworkResult> Attach(const PodAttachment& pod);
  absl::Status Release(const std::string& sandbox_id);
  absl::Status Check(const PodAttachment& pod);

  // Whether pods could be attached: the subnet is not in use by something else.
  absl::Status Ready();

  absl::Status CollectGarbage(const std::vector<std::string>& live_sandbox_ids);

  // FailedPrecondition while a sandbox holds an address.
  absl::Status Remove();

  absl::StatusOr<int> AttachedCount();
  const std::string& bridge() const { return bridge_; }
  std::string subnet() const { return reservations_.subnet().ToString(); }

 private:
  BuiltinNetwork(const std::string& state_dir, const std::string& bridge, const Ipv4Net& subnet)
      : bridge_(bridge), reservations_(state_dir, subnet), nat_(bridge, subnet) {}

  // Makes what all pods share, as far as it is missing; the bridge's index.
  absl::StatusOr<int> PrepareHost(Rtnl* rtnl);
  absl::Status Connect(const Reservation& reservation, const std::string& netns_path);
  // Writes the NAT table anew, without the ports of `leaving`.
  absl::Status PublishPorts(const std::string& leaving = "");
  // The same, after which no flow to `changed` is translated as before.
  absl::Status ChangePorts(const std::vector<PortMapping>& changed,
                           const std::string& leaving = "");

  const std::string bridge_;
  Reservations reservations_;
  NatTable nat_;
  absl::Mutex host_mu_;     // What pods share is made once.
  absl::Mutex publish_mu_;  // The table is written from a list no older than the table's last.
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_BUILTIN_BUILTIN_NETWORK_H_
