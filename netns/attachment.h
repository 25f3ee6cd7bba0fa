// What is said about a pod when it is attached to a network, and what comes back.
//
// Values without behaviour, but for the check that every network makes.
#ifndef CRISP_NETNS_ATTACHMENT_H_
#define CRISP_NETNS_ATTACHMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace crisp::netns {

// The name of a pod's interface, in every network.
inline constexpr char kPodInterface[] = "eth0";

struct PortMapping {
  std::string protocol = "tcp";  // "tcp", "udp" or "sctp".
  int32_t container_port = 0;
  int32_t host_port = 0;  // 0: not published on the host.
  std::string host_ip;    // Empty: every address of the host.
};

struct DnsConfig {
  std::vector<std::string> servers;
  std::vector<std::string> searches;
  std::vector<std::string> options;
};

struct PodAttachment {
  std::string sandbox_id;
  std::string pod_name;
  std::string pod_namespace;
  std::string pod_uid;
  std::string netns_path;  // May be empty, or gone, on release.
  std::string cgroup_parent;
  std::vector<PortMapping> ports;
  DnsConfig dns;
  std::map<std::string, std::string> annotations;
};

struct PodNetworkResult {
  std::vector<std::string> ips;  // Primary first; no prefix length.
  std::string result_json;       // A CNI result.
};

// The published ports among `ports` in canonical form: host_port > 0, protocol
// in lower case, host_ip "" for the wildcard. InvalidArgument names the port
// that is out of range, of an unknown protocol, on an address that does not
// parse, or published twice.
absl::Status PublishedPorts(const std::vector<PortMapping>& ports, std::vector<PortMapping>* out);

// Whether two published ports cannot both be served: same protocol and port, on
// the same address or on the wildcard.
bool PortsCollide(const PortMapping& a, const PortMapping& b);

// "127.0.0.1:8080/tcp", "8080/tcp" for the wildcard.
std::string PortText(const PortMapping& port);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_ATTACHMENT_H_
