#include "netns/builtin/nat_table.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

// `any_address` maps ports published on every address of the host, `one_address`
// those published on one. A published port answers on 127.0.0.1 too, for which the
// bridge must route loopback addresses; `guard` keeps pods from using that to
// reach what the host has bound to its loopback. A connection that a pod, or the
// host's loopback, makes to a published port is masqueraded, because the answer
// would not come back through here otherwise.
constexpr char kRules[] = R"(
add table ip $table
add map ip $table any_address { type inet_proto . inet_service : ipv4_addr . inet_service ; }
add map ip $table one_address { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }
add chain ip $table host_ports
add chain ip $table prerouting { type nat hook prerouting priority dstnat ; policy accept ; }
add chain ip $table output { type nat hook output priority -100 ; policy accept ; }
add chain ip $table postrouting { type nat hook postrouting priority srcnat ; policy accept ; }
add chain ip $table guard { type filter hook prerouting priority raw ; policy accept ; }
flush table ip $table
flush map ip $table any_address
flush map ip $table one_address
add rule ip $table host_ports meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @one_address
add rule ip $table host_ports meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @any_address
add rule ip $table prerouting fib daddr type local goto host_ports
add rule ip $table output fib daddr type local goto host_ports
add rule ip $table postrouting oifname "$bridge" ct status dnat ip saddr { 127.0.0.0/8, $subnet } masquerade
add rule ip $table postrouting oifname != "$bridge" ip saddr $subnet ip daddr != { $subnet, 224.0.0.0/4 } masquerade
add rule ip $table guard iifname "$bridge" ip daddr 127.0.0.0/8 drop
)";

std::string TableName(const std::string& bridge) {
  return bridge == "crisp0" ? "crisp" : absl::StrCat("crisp_", bridge);
}

}  // namespace

std::string NatCommands(const std::string& table, const std::string& bridge, const Ipv4Net& subnet,
                        const std::vector<Reservation>& reservations) {
  const std::string net = absl::StrCat(subnet.Network().ToString(), "/", subnet.prefix);
  std::string commands =
      absl::StrReplaceAll(kRules, {{"$table", table}, {"$bridge", bridge}, {"$subnet", net}});
  for (const Reservation& reservation : reservations) {
    for (const PortMapping& port : reservation.ports) {
      const std::string target =
          absl::StrCat(reservation.ip.ToString(), " . ", port.container_port);
      const std::string key = absl::StrCat(port.protocol, " . ", port.host_port);
      if (port.host_ip.empty()) {
        absl::StrAppend(&commands, "add element ip ", table, " any_address { ", key, " : ", target,
                        " }\n");
      } else {
        absl::StrAppend(&commands, "add element ip ", table, " one_address { ", port.host_ip, " . ",
                        key, " : ", target, " }\n");
      }
    }
  }
  return commands;
}

NatTable::NatTable(std::string bridge, Ipv4Net subnet)
    : bridge_(std::move(bridge)),
      subnet_(subnet),
      table_(TableName(bridge_)),
      context_(::nft_ctx_new(NFT_CTX_DEFAULT), &::nft_ctx_free) {
  if (context_ == nullptr) return;
  ::nft_ctx_buffer_output(context_.get());
  ::nft_ctx_buffer_error(context_.get());
}

NatTable::~NatTable() = default;

absl::Status NatTable::Run(const std::string& commands) {
  if (context_ == nullptr) return absl::InternalError("libnftables cannot be set up");
  const int failed = ::nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  // Reading the buffers empties them for the next run.
  (void)::nft_ctx_get_output_buffer(context_.get());
  const std::string words = ::nft_ctx_get_error_buffer(context_.get());
  if (failed == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("nftables: ", Excerpt(words)));
}

absl::Status NatTable::Write(const std::vector<Reservation>& reservations) {
  absl::MutexLock lock(&mu_);
  return Run(NatCommands(table_, bridge_, subnet_, reservations));
}

absl::StatusOr<bool> NatTable::Exists() {
  // One netlink message, where libnftables would list the whole ruleset.
  CRISP_ASSIGN_OR_RETURN(Netlink netlink, Netlink::Open(NETLINK_NETFILTER));
  NetlinkRequest request((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN, 0);
  auto* header = request.AddHeader<nfgenmsg>();
  header->nfgen_family = NFPROTO_IPV4;
  header->version = NFNETLINK_V0;
  mnl_attr_put_strz(request.header(), NFTA_CHAIN_TABLE, table_.c_str());
  mnl_attr_put_strz(request.header(), NFTA_CHAIN_NAME, "guard");
  const absl::Status status = netlink.Talk("look for the NAT table", &request);
  if (ErrnoOf(status) == ENOENT) return false;
  CRISP_RETURN_IF_ERROR(status);
  return true;
}

absl::Status NatTable::Remove() {
  absl::MutexLock lock(&mu_);
  // The first command makes the second one succeed when there is no table.
  return Run(absl::StrCat("add table ip ", table_, "\ndelete table ip ", table_, "\n"));
}

}  // namespace crisp::netns
