#include "netns/builtin/builtin_network.h"

#include <fcntl.h>
#include <net/if.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "netns/builtin/conntrack.h"
#include "netns/in_netns.h"

namespace crisp::netns {
namespace {

constexpr int kMinPrefix = 8;
constexpr int kMaxPrefix = 29;

// 0a:58 is locally administered; the rest is the address. Who gets an address
// again also gets its MAC, so no neighbour's ARP entry turns stale.
MacAddress MacFor(Ipv4 ip) {
  return {0x0a,
          0x58,
          static_cast<uint8_t>(ip.value >> 24),
          static_cast<uint8_t>(ip.value >> 16),
          static_cast<uint8_t>(ip.value >> 8),
          static_cast<uint8_t>(ip.value)};
}

std::string MacText(const MacAddress& mac) {
  std::string text;
  for (const uint8_t byte : mac) {
    absl::StrAppend(&text, text.empty() ? "" : ":", absl::Hex(byte, absl::kZeroPad2));
  }
  return text;
}

// Writes a sysctl unless it has the value: /proc/sys may be mounted read-only on
// a host that is set up already.
absl::Status SetSysctl(const std::string& path, const std::string& value) {
  const auto now = ReadFile(path);
  if (now.ok() && absl::StripAsciiWhitespace(*now) == value) return absl::OkStatus();
  return WriteKernelFile(path, value);
}

// In the pod: the address, the link up, and the way out.
absl::Status Configure(const Ipv4Net& address, Ipv4 gateway) {
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  CRISP_ASSIGN_OR_RETURN(const Link link, rtnl.FindLink(kPodInterface));
  CRISP_RETURN_IF_ERROR(rtnl.AddAddress(link.index, address));
  CRISP_RETURN_IF_ERROR(rtnl.SetUp(link.index));
  return rtnl.AddDefaultRoute(link.index, gateway);
}

std::string ResultJson(const PodAttachment& pod, const Reservation& reservation,
                       const std::string& bridge, const Ipv4Net& address, Ipv4 gateway) {
  using nlohmann::json;
  json result = {
      {"cniVersion", "1.0.0"},
      {"interfaces", json::array({json{{"name", bridge}}, json{{"name", reservation.link}},
                                  json{{"name", kPodInterface},
                                       {"mac", MacText(MacFor(reservation.ip))},
                                       {"sandbox", pod.netns_path}}})},
      {"ips",
       json::array({json{
           {"interface", 2}, {"address", address.ToString()}, {"gateway", gateway.ToString()}}})},
      {"routes", json::array({json{{"dst", "0.0.0.0/0"}, {"gw", gateway.ToString()}}})}};
  return result.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::Status CheckBridgeName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  if (name.empty() || name.size() >= IFNAMSIZ || !plain) {
    return absl::InvalidArgumentError(absl::StrCat("bridge '", name, "' is not 1 to ", IFNAMSIZ - 1,
                                                   " letters, digits, '-' or '_'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenNetNs(const std::string& path) {
  return SysFd(absl::StrCat("open ", path),
               [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
}

// FailedPrecondition if a link other than `bridge_index` has an address in a
// network that `subnet` would hide.
absl::Status CheckOverlap(Rtnl* rtnl, const Ipv4Net& subnet, int bridge_index) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<LinkAddress> addresses, rtnl->Addresses());
  for (const LinkAddress& address : addresses) {
    if (address.link == bridge_index || !subnet.Overlaps(address.net)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("subnet ", subnet.ToString(), " overlaps ", address.net.ToString(),
                     " of this host's link ", address.link, "; choose another subnet"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BuiltinNetwork>> BuiltinNetwork::Make(const std::string& state_dir,
                                                                     const std::string& bridge,
                                                                     const std::string& subnet) {
  CRISP_RETURN_IF_ERROR(CheckBridgeName(bridge));
  CRISP_ASSIGN_OR_RETURN(Ipv4Net net, Ipv4Net::Parse(subnet));
  if (net.prefix < kMinPrefix || net.prefix > kMaxPrefix) {
    return absl::InvalidArgumentError(
        absl::StrCat("subnet ", subnet, ": the prefix must be /", kMinPrefix, " to /", kMaxPrefix));
  }
  net.address = net.Network();
  return std::unique_ptr<BuiltinNetwork>(new BuiltinNetwork(state_dir, bridge, net));
}

absl::StatusOr<bool> BuiltinNetwork::Knows(const std::string& sandbox_id) {
  const auto found = reservations_.Find(sandbox_id);
  if (absl::IsNotFound(found.status())) return false;
  CRISP_RETURN_IF_ERROR(found.status());
  return true;
}

absl::StatusOr<int> BuiltinNetwork::AttachedCount() {
  CRISP_ASSIGN_OR_RETURN(const std::vector<Reservation> all, reservations_.List());
  return static_cast<int>(all.size());
}

absl::StatusOr<int> BuiltinNetwork::PrepareHost(Rtnl* rtnl) {
  absl::MutexLock lock(&host_mu_);
  auto bridge = rtnl->FindLink(bridge_);
  if (absl::IsNotFound(bridge.status())) {
    CRISP_RETURN_IF_ERROR(CheckOverlap(rtnl, reservations_.subnet(), 0));
    CRISP_RETURN_IF_ERROR(rtnl->AddBridge(bridge_, MacFor(reservations_.gateway())));
    bridge = rtnl->FindLink(bridge_);
  }
  CRISP_RETURN_IF_ERROR(bridge.status());
  if (bridge->kind != "bridge") {
    return absl::FailedPreconditionError(
        absl::StrCat("link ", bridge_, " exists and is not a bridge"));
  }
  if (!bridge->up) CRISP_RETURN_IF_ERROR(rtnl->SetUp(bridge->index));
  const Ipv4Net address{reservations_.gateway(), reservations_.subnet().prefix};
  CRISP_RETURN_IF_ERROR(rtnl->AddAddress(bridge->index, address));
  CRISP_RETURN_IF_ERROR(SetSysctl("/proc/sys/net/ipv4/ip_forward", "1"));
  CRISP_RETURN_IF_ERROR(
      SetSysctl(absl::StrCat("/proc/sys/net/ipv4/conf/", bridge_, "/route_localnet"), "1"));
  CRISP_ASSIGN_OR_RETURN(const bool has_table, nat_.Exists());
  if (!has_table) CRISP_RETURN_IF_ERROR(PublishPorts());
  return bridge->index;
}

absl::Status BuiltinNetwork::PublishPorts(const std::string& leaving) {
  absl::MutexLock lock(&publish_mu_);
  CRISP_ASSIGN_OR_RETURN(std::vector<Reservation> all, reservations_.List());
  for (Reservation& reservation : all) {
    if (reservation.sandbox_id == leaving) reservation.ports.clear();
  }
  return nat_.Write(all);
}

absl::Status BuiltinNetwork::ChangePorts(const std::vector<PortMapping>& changed,
                                         const std::string& leaving) {
  if (changed.empty()) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(PublishPorts(leaving));
  std::set<uint16_t> udp;
  for (const PortMapping& port : changed) {
    if (port.protocol == "udp") udp.insert(static_cast<uint16_t>(port.host_port));
  }
  return udp.empty() ? absl::OkStatus() : ForgetUdpFlowsTo(udp);
}

absl::Status BuiltinNetwork::Connect(const Reservation& reservation,
                                     const std::string& netns_path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd netns, OpenNetNs(netns_path));
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  CRISP_ASSIGN_OR_RETURN(const int bridge, PrepareHost(&rtnl));
  const VethPair pair{.name = reservation.link,
                      .master = bridge,
                      .peer_name = kPodInterface,
                      .peer_netns_fd = netns.get(),
                      .peer_mac = MacFor(reservation.ip)};
  absl::Status added = rtnl.AddVeth(pair);
  if (ErrnoOf(added) == EEXIST) {
    // Left by a sandbox of the same id whose reservation was lost.
    CRISP_RETURN_IF_ERROR(rtnl.DeleteLink(reservation.link));
    added = rtnl.AddVeth(pair);
  }
  CRISP_RETURN_IF_ERROR(added);
  if (!reservation.ports.empty()) {
    // With bridge netfilter on, a pod that uses its own published port gets its
    // frame back through the port that it came from.
    CRISP_ASSIGN_OR_RETURN(const Link link, rtnl.FindLink(reservation.link));
    CRISP_RETURN_IF_ERROR(rtnl.SetHairpin(link.index));
  }
  const Ipv4Net address{reservation.ip, reservations_.subnet().prefix};
  CRISP_RETURN_IF_ERROR(
      RunInNetNs(netns.get(), [&] { return Configure(address, reservations_.gateway()); }));
  return ChangePorts(reservation.ports);
}

absl::StatusOr<PodNetworkResult> BuiltinNetwork::Attach(const PodAttachment& pod) {
  std::vector<PortMapping> ports;
  CRISP_RETURN_IF_ERROR(PublishedPorts(pod.ports, &ports));
  for (const PortMapping& port : ports) {
    if (port.host_ip.find(':') == std::string::npos) continue;
    return absl::InvalidArgumentError(absl::StrCat("port_mappings: host port ", PortText(port),
                                                   ": the built-in network has IPv4 only"));
  }
  CRISP_ASSIGN_OR_RETURN(
      const Reservation reservation,
      reservations_.Reserve(pod.sandbox_id, absl::StrCat(pod.pod_namespace, "/", pod.pod_name),
                            ports));
  absl::Status status = Connect(reservation, pod.netns_path);
  if (!status.ok()) {
    const absl::Status undone = Release(pod.sandbox_id);
    if (!undone.ok()) {
      status = absl::Status(
          status.code(),
          absl::StrCat(status.message(), "; undoing it failed too: ", undone.message()));
    }
    return Annotate(status, "built-in network");
  }
  const Ipv4Net address{reservation.ip, reservations_.subnet().prefix};
  return PodNetworkResult{
      .ips = {reservation.ip.ToString()},
      .result_json = ResultJson(pod, reservation, bridge_, address, reservations_.gateway())};
}

absl::Status BuiltinNetwork::Release(const std::string& sandbox_id) {
  const auto reservation = reservations_.Find(sandbox_id);
  if (absl::IsNotFound(reservation.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(reservation.status());
  // Rules first, the address last: nobody may get it while something still points there.
  CRISP_RETURN_IF_ERROR(ChangePorts(reservation->ports, sandbox_id));
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  CRISP_RETURN_IF_ERROR(rtnl.DeleteLink(reservation->link));
  return reservations_.Free(sandbox_id);
}

absl::Status BuiltinNetwork::Check(const PodAttachment& pod) {
  CRISP_ASSIGN_OR_RETURN(const Reservation reservation, reservations_.Find(pod.sandbox_id));
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  CRISP_ASSIGN_OR_RETURN(const Link bridge, rtnl.FindLink(bridge_));
  CRISP_ASSIGN_OR_RETURN(const Link link, rtnl.FindLink(reservation.link));
  if (link.master != bridge.index || !link.up || !bridge.up) {
    return absl::FailedPreconditionError(
        absl::StrCat("link ", reservation.link, " is down or not on bridge ", bridge_));
  }
  CRISP_ASSIGN_OR_RETURN(const bool has_table, nat_.Exists());
  if (!has_table) {
    return absl::FailedPreconditionError(absl::StrCat("nftables table ", nat_.name(), " is gone"));
  }
  return RunInNetNs(pod.netns_path, [&]() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(Rtnl inside, Rtnl::Open());
    CRISP_ASSIGN_OR_RETURN(const Link eth0, inside.FindLink(kPodInterface));
    CRISP_ASSIGN_OR_RETURN(const std::vector<LinkAddress> addresses, inside.Addresses());
    for (const LinkAddress& address : addresses) {
      if (address.link == eth0.index && address.net.address == reservation.ip) {
        return absl::OkStatus();
      }
    }
    return absl::FailedPreconditionError(
        absl::StrCat(kPodInterface, " has lost ", reservation.ip.ToString()));
  });
}

absl::Status BuiltinNetwork::Ready() {
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  const auto bridge = rtnl.FindLink(bridge_);
  if (!bridge.ok() && !absl::IsNotFound(bridge.status())) return bridge.status();
  CRISP_RETURN_IF_ERROR(
      CheckOverlap(&rtnl, reservations_.subnet(), bridge.ok() ? bridge->index : 0));
  CRISP_ASSIGN_OR_RETURN(const int attached, AttachedCount());
  if (attached == 0) return absl::OkStatus();
  // A firewall's reload may have flushed the table under running pods.
  return PrepareHost(&rtnl).status();
}

absl::Status BuiltinNetwork::CollectGarbage(const std::vector<std::string>& live_sandbox_ids) {
  const absl::flat_hash_set<std::string> live(live_sandbox_ids.begin(), live_sandbox_ids.end());
  CRISP_ASSIGN_OR_RETURN(const std::vector<Reservation> all, reservations_.List());
  absl::Status first;
  absl::flat_hash_set<std::string> links;
  for (const Reservation& reservation : all) {
    if (live.contains(reservation.sandbox_id)) {
      links.insert(reservation.link);
      continue;
    }
    const absl::Status status = Release(reservation.sandbox_id);
    if (first.ok()) first = Annotate(status, "sandbox ", reservation.sandbox_id);
  }
  // Links whose reservation was lost.
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  const auto bridge = rtnl.FindLink(bridge_);
  if (absl::IsNotFound(bridge.status())) return first;
  CRISP_RETURN_IF_ERROR(bridge.status());
  CRISP_ASSIGN_OR_RETURN(const std::vector<Link> all_links, rtnl.Links());
  for (const Link& link : all_links) {
    if (link.master != bridge->index || !absl::StartsWith(link.name, kLinkPrefix) ||
        links.contains(link.name)) {
      continue;
    }
    const absl::Status status = rtnl.DeleteLink(link.name);
    if (first.ok()) first = status;
  }
  return first;
}

absl::Status BuiltinNetwork::Remove() {
  absl::MutexLock lock(&host_mu_);
  CRISP_ASSIGN_OR_RETURN(const int attached, AttachedCount());
  if (attached > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(attached, " pods are still on the built-in network"));
  }
  CRISP_RETURN_IF_ERROR(nat_.Remove());
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  return rtnl.DeleteLink(bridge_);
}

}  // namespace crisp::netns
