#include "cri/pods/pod_network_attachment.h"

namespace crisp::cri {
namespace {

const char* ProtocolName(runtime::v1::Protocol protocol) {
  switch (protocol) {
    case runtime::v1::UDP:
      return "udp";
    case runtime::v1::SCTP:
      return "sctp";
    default:
      return "tcp";
  }
}

}  // namespace

netns::PodAttachment AttachmentOf(const Pod& pod, const std::string& netns_path) {
  const runtime::v1::PodSandboxConfig& config = pod.config();
  netns::PodAttachment attachment;
  attachment.sandbox_id = pod.id();
  attachment.pod_name = config.metadata().name();
  attachment.pod_namespace = config.metadata().namespace_();
  attachment.pod_uid = config.metadata().uid();
  attachment.netns_path = netns_path;
  attachment.cgroup_parent = config.linux().cgroup_parent();
  for (const runtime::v1::PortMapping& port : config.port_mappings()) {
    // kubelet lists container ports also; only a host port asks for something.
    if (port.host_port() <= 0) continue;
    attachment.ports.push_back(
        {ProtocolName(port.protocol()), port.container_port(), port.host_port(), port.host_ip()});
  }
  const runtime::v1::DNSConfig& dns = config.dns_config();
  attachment.dns.servers.assign(dns.servers().begin(), dns.servers().end());
  attachment.dns.searches.assign(dns.searches().begin(), dns.searches().end());
  attachment.dns.options.assign(dns.options().begin(), dns.options().end());
  attachment.annotations.insert(config.annotations().begin(), config.annotations().end());
  return attachment;
}

}  // namespace crisp::cri
