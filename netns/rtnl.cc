#include "netns/rtnl.h"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::netns {
namespace {

constexpr int kDumpAttempts = 8;

// The string of `attribute` without trusting its terminator.
std::string Text(const nlattr* attribute) {
  if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return "";
  return mnl_attr_get_str(attribute);
}

Link ToLink(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  Link link{.index = info->ifi_index, .up = (info->ifi_flags & IFF_UP) != 0};
  ForEachAttribute(message, sizeof(ifinfomsg), [&link](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        link.name = Text(attribute);
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(mnl_attr_get_u32(attribute));
        break;
      case IFLA_LINKINFO:
        ForEachNested(attribute, [&link](const nlattr* nested) {
          if (mnl_attr_get_type(nested) == IFLA_INFO_KIND) link.kind = Text(nested);
        });
        break;
      default:
        break;
    }
  });
  return link;
}

absl::Status CheckName(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' is not an interface name: 1 to ", IFNAMSIZ - 1, " characters"));
  }
  return absl::OkStatus();
}

absl::Status OkIfExists(absl::Status status) {
  return ErrnoOf(status) == EEXIST ? absl::OkStatus() : status;
}

}  // namespace

absl::StatusOr<Rtnl> Rtnl::Open() {
  CRISP_ASSIGN_OR_RETURN(Netlink netlink, Netlink::Open(NETLINK_ROUTE));
  return Rtnl(std::move(netlink));
}

absl::Status Rtnl::Dump(absl::string_view what, uint16_t type, uint8_t family,
                        const Netlink::OnMessage& on_message,
                        const std::function<void()>& restart) {
  absl::Status status;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    NetlinkRequest request(type, NLM_F_DUMP);
    request.AddHeader<ifinfomsg>()->ifi_family = family;
    status = netlink_.Talk(what, &request, on_message);
    if (!absl::IsAborted(status)) break;
  }
  return status;
}

absl::StatusOr<Link> Rtnl::FindLink(const std::string& name) {
  CRISP_RETURN_IF_ERROR(CheckName(name));
  NetlinkRequest request(RTM_GETLINK, 0);
  request.AddHeader<ifinfomsg>();
  mnl_attr_put_strz(request.header(), IFLA_IFNAME, name.c_str());
  Link link;
  absl::Status status = netlink_.Talk(absl::StrCat("find link ", name), &request,
                                      [&link](const nlmsghdr* message) { link = ToLink(message); });
  if (ErrnoOf(status) == ENODEV) {
    return absl::NotFoundError(absl::StrCat("there is no link ", name));
  }
  CRISP_RETURN_IF_ERROR(status);
  return link;
}

absl::StatusOr<std::vector<Link>> Rtnl::Links() {
  std::vector<Link> links;
  CRISP_RETURN_IF_ERROR(Dump(
      "list links", RTM_GETLINK, AF_UNSPEC,
      [&links](const nlmsghdr* message) { links.push_back(ToLink(message)); },
      [&links] { links.clear(); }));
  return links;
}

absl::StatusOr<std::vector<LinkAddress>> Rtnl::Addresses() {
  std::vector<LinkAddress> addresses;
  auto add = [&addresses](const nlmsghdr* message) {
    const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    ForEachAttribute(message, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
      // IFA_LOCAL is the address itself; IFA_ADDRESS may be the other end's.
      if (mnl_attr_get_type(attribute) != IFA_LOCAL) return;
      addresses.push_back({static_cast<int>(info->ifa_index),
                           {Ipv4{ntohl(mnl_attr_get_u32(attribute))}, info->ifa_prefixlen}});
    });
  };
  CRISP_RETURN_IF_ERROR(
      Dump("list addresses", RTM_GETADDR, AF_INET, add, [&addresses] { addresses.clear(); }));
  return addresses;
}

absl::Status Rtnl::AddBridge(const std::string& name, const MacAddress& mac) {
  CRISP_RETURN_IF_ERROR(CheckName(name));
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  auto* info = request.AddHeader<ifinfomsg>();
  info->ifi_flags = info->ifi_change = IFF_UP;
  nlmsghdr* header = request.header();
  mnl_attr_put_strz(header, IFLA_IFNAME, name.c_str());
  // Without an address of its own a bridge takes its lowest port's, and changes
  // it as pods come and go.
  mnl_attr_put(header, IFLA_ADDRESS, mac.size(), mac.data());
  nlattr* link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
  mnl_attr_nest_end(header, link_info);
  return netlink_.Talk(absl::StrCat("add bridge ", name), &request);
}

absl::Status Rtnl::AddVeth(const VethPair& pair) {
  CRISP_RETURN_IF_ERROR(CheckName(pair.name));
  CRISP_RETURN_IF_ERROR(CheckName(pair.peer_name));
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  auto* info = request.AddHeader<ifinfomsg>();
  info->ifi_flags = info->ifi_change = IFF_UP;
  nlmsghdr* header = request.header();
  mnl_attr_put_strz(header, IFLA_IFNAME, pair.name.c_str());
  mnl_attr_put_u32(header, IFLA_MASTER, static_cast<uint32_t>(pair.master));
  nlattr* link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
  // The peer cannot come up here: the kernel ties the two together only after it
  // has made it (ENOTCONN).
  mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
  mnl_attr_put_strz(header, IFLA_IFNAME, pair.peer_name.c_str());
  mnl_attr_put(header, IFLA_ADDRESS, pair.peer_mac.size(), pair.peer_mac.data());
  mnl_attr_put_u32(header, IFLA_NET_NS_FD, static_cast<uint32_t>(pair.peer_netns_fd));
  mnl_attr_nest_end(header, peer);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, link_info);
  return netlink_.Talk(absl::StrCat("add veth pair ", pair.name, " and ", pair.peer_name),
                       &request);
}

absl::Status Rtnl::SetUp(int index) {
  NetlinkRequest request(RTM_NEWLINK, 0);
  auto* info = request.AddHeader<ifinfomsg>();
  info->ifi_index = index;
  info->ifi_flags = info->ifi_change = IFF_UP;
  return netlink_.Talk(absl::StrCat("set link ", index, " up"), &request);
}

absl::Status Rtnl::SetHairpin(int index) {
  NetlinkRequest request(RTM_SETLINK, 0);
  auto* info = request.AddHeader<ifinfomsg>();
  info->ifi_family = AF_BRIDGE;
  info->ifi_index = index;
  nlmsghdr* header = request.header();
  nlattr* port = mnl_attr_nest_start(header, IFLA_PROTINFO);
  mnl_attr_put_u8(header, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
  mnl_attr_nest_end(header, port);
  return netlink_.Talk(absl::StrCat("set hairpin mode of link ", index), &request);
}

absl::Status Rtnl::DeleteLink(const std::string& name) {
  CRISP_RETURN_IF_ERROR(CheckName(name));
  NetlinkRequest request(RTM_DELLINK, 0);
  request.AddHeader<ifinfomsg>();
  mnl_attr_put_strz(request.header(), IFLA_IFNAME, name.c_str());
  absl::Status status = netlink_.Talk(absl::StrCat("delete link ", name), &request);
  return ErrnoOf(status) == ENODEV ? absl::OkStatus() : status;
}

absl::Status Rtnl::AddAddress(int index, const Ipv4Net& address) {
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  auto* info = request.AddHeader<ifaddrmsg>();
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = static_cast<uint8_t>(address.prefix);
  info->ifa_index = static_cast<uint32_t>(index);
  nlmsghdr* header = request.header();
  mnl_attr_put_u32(header, IFA_LOCAL, address.address.NetworkOrder());
  mnl_attr_put_u32(header, IFA_ADDRESS, address.address.NetworkOrder());
  mnl_attr_put_u32(header, IFA_BROADCAST, address.Broadcast().NetworkOrder());
  return OkIfExists(netlink_.Talk(absl::StrCat("add address ", address.ToString()), &request));
}

absl::Status Rtnl::AddDefaultRoute(int index, Ipv4 gateway) {
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  auto* route = request.AddHeader<rtmsg>();
  route->rtm_family = AF_INET;
  route->rtm_table = RT_TABLE_MAIN;
  route->rtm_protocol = RTPROT_STATIC;
  route->rtm_scope = RT_SCOPE_UNIVERSE;
  route->rtm_type = RTN_UNICAST;
  nlmsghdr* header = request.header();
  mnl_attr_put_u32(header, RTA_GATEWAY, gateway.NetworkOrder());
  mnl_attr_put_u32(header, RTA_OIF, static_cast<uint32_t>(index));
  return OkIfExists(
      netlink_.Talk(absl::StrCat("add default route by ", gateway.ToString()), &request));
}

}  // namespace crisp::netns
