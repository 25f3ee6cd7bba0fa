#include "netns/builtin/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <string>
#include <vector>

#include "base/status_macros.h"
#include "base/sys.h"
#include "netns/netlink.h"

namespace crisp::netns {
namespace {

uint16_t MessageType(int message) {
  return static_cast<uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | message);
}

void AddFamily(NetlinkRequest* request) {
  auto* header = request->AddHeader<nfgenmsg>();
  header->nfgen_family = NFPROTO_IPV4;
  header->version = NFNETLINK_V0;
}

// Whether `tuple` (CTA_TUPLE_ORIG) is UDP to one of `ports`.
bool IsUdpTo(const nlattr* tuple, const std::set<uint16_t>& ports) {
  bool udp = false;
  uint16_t port = 0;
  ForEachNested(tuple, [&](const nlattr* part) {
    if (mnl_attr_get_type(part) != CTA_TUPLE_PROTO) return;
    ForEachNested(part, [&](const nlattr* field) {
      if (mnl_attr_get_type(field) == CTA_PROTO_NUM) udp = mnl_attr_get_u8(field) == IPPROTO_UDP;
      if (mnl_attr_get_type(field) == CTA_PROTO_DST_PORT) port = ntohs(mnl_attr_get_u16(field));
    });
  });
  return udp && ports.count(port) != 0;
}

}  // namespace

absl::Status ForgetUdpFlowsTo(const std::set<uint16_t>& ports) {
  CRISP_ASSIGN_OR_RETURN(Netlink netlink, Netlink::Open(NETLINK_NETFILTER));
  // The tuples as the kernel spells them: it takes them back the same way.
  std::vector<std::string> tuples;
  NetlinkRequest list(MessageType(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
  AddFamily(&list);
  const absl::Status listed =
      netlink.Talk("list tracked flows", &list, [&](const nlmsghdr* message) {
        ForEachAttribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
          if (mnl_attr_get_type(attribute) != CTA_TUPLE_ORIG || !IsUdpTo(attribute, ports)) return;
          tuples.emplace_back(static_cast<const char*>(mnl_attr_get_payload(attribute)),
                              mnl_attr_get_payload_len(attribute));
        });
      });
  // Flows that come and go meanwhile are of no interest.
  if (!listed.ok() && !absl::IsAborted(listed)) return listed;
  for (const std::string& tuple : tuples) {
    NetlinkRequest forget(MessageType(IPCTNL_MSG_CT_DELETE), 0);
    AddFamily(&forget);
    mnl_attr_put(forget.header(), CTA_TUPLE_ORIG | NLA_F_NESTED, tuple.size(), tuple.data());
    const absl::Status status = netlink.Talk("forget a tracked flow", &forget);
    if (!status.ok() && ErrnoOf(status) != ENOENT) return status;
  }
  return absl::OkStatus();
}

}  // namespace crisp::netns
