// Links, addresses and routes of the calling thread's network namespace.
//
// Ownership: owns a socket into the namespace in which Open was called.
// Threads:   one at a time.
// Errors:    errno kept; NotFound for a link that does not exist. Deletions of
//            what is gone, and additions of what is there, are OK as noted.
#ifndef CRISP_NETNS_RTNL_H_
#define CRISP_NETNS_RTNL_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "netns/ipv4.h"
#include "netns/netlink.h"

namespace crisp::netns {

using MacAddress = std::array<uint8_t, 6>;

struct Link {
  int index = 0;
  int master = 0;  // Index of the bridge that the link is a port of, or 0.
  bool up = false;
  std::string name;
  std::string kind;  // "bridge", "veth", ...; empty for hardware and loopback.
};

struct LinkAddress {
  int link = 0;
  Ipv4Net net;  // The address itself, not masked.
};

// A veth pair made in place: `peer` appears in its namespace under its own name,
// so nothing has to be moved or renamed afterwards.
struct VethPair {
  std::string name;
  int master = 0;
  std::string peer_name;
  int peer_netns_fd = -1;
  MacAddress peer_mac{};
};

class Rtnl {
 public:
  static absl::StatusOr<Rtnl> Open();

  absl::StatusOr<Link> FindLink(const std::string& name);
  absl::StatusOr<std::vector<Link>> Links();
  absl::StatusOr<std::vector<LinkAddress>> Addresses();

  absl::Status AddBridge(const std::string& name, const MacAddress& mac);  // Comes up.
  absl::Status AddVeth(const VethPair& pair);  // This end comes up, the peer does not.
  absl::Status SetUp(int index);
  // Lets a bridge send a frame back through the port that it came from.
  absl::Status SetHairpin(int index);
  absl::Status DeleteLink(const std::string& name);  // OK if absent.

  absl::Status AddAddress(int index, const Ipv4Net& address);  // OK if there.
  absl::Status AddDefaultRoute(int index, Ipv4 gateway);       // OK if there.

 private:
  explicit Rtnl(Netlink netlink) : netlink_(std::move(netlink)) {}

  // Repeats a dump until it was read whole.
  absl::Status Dump(absl::string_view what, uint16_t type, uint8_t family,
                    const Netlink::OnMessage& on_message, const std::function<void()>& restart);

  Netlink netlink_;
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_RTNL_H_
