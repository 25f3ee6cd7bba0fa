#include "netns/attachment.h"

#include <arpa/inet.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace crisp::netns {
namespace {

constexpr int32_t kMaxPort = 65535;

bool IsIpAddress(const std::string& text) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

}  // namespace

std::string PortText(const PortMapping& port) {
  const bool v6 = port.host_ip.find(':') != std::string::npos;
  const std::string host = port.host_ip.empty() ? ""
                           : v6                 ? absl::StrCat("[", port.host_ip, "]:")
                                                : absl::StrCat(port.host_ip, ":");
  return absl::StrCat(host, port.host_port, "/", port.protocol);
}

bool PortsCollide(const PortMapping& a, const PortMapping& b) {
  return a.protocol == b.protocol && a.host_port == b.host_port &&
         (a.host_ip.empty() || b.host_ip.empty() || a.host_ip == b.host_ip);
}

absl::Status PublishedPorts(const std::vector<PortMapping>& ports, std::vector<PortMapping>* out) {
  out->clear();
  for (const PortMapping& port : ports) {
    // Kubernetes leaves host_port at 0 for ports that are only documentation.
    if (port.host_port <= 0) continue;
    PortMapping canonical = port;
    canonical.protocol = absl::AsciiStrToLower(port.protocol);
    if (canonical.protocol.empty()) canonical.protocol = "tcp";
    if (canonical.protocol != "tcp" && canonical.protocol != "udp" &&
        canonical.protocol != "sctp") {
      return absl::InvalidArgumentError(absl::StrCat("port_mappings: unknown protocol '",
                                                     port.protocol, "'; want tcp, udp or sctp"));
    }
    if (port.host_port > kMaxPort || port.container_port <= 0 || port.container_port > kMaxPort) {
      return absl::InvalidArgumentError(absl::StrCat("port_mappings: host port ", port.host_port,
                                                     " to container port ", port.container_port,
                                                     ": ports are 1 to ", kMaxPort));
    }
    if (!port.host_ip.empty() && !IsIpAddress(port.host_ip)) {
      return absl::InvalidArgumentError(
          absl::StrCat("port_mappings: host_ip '", port.host_ip, "' is not an IP address"));
    }
    if (port.host_ip == "0.0.0.0") canonical.host_ip.clear();
    for (const PortMapping& other : *out) {
      if (PortsCollide(canonical, other)) {
        return absl::InvalidArgumentError(
            absl::StrCat("port_mappings: host port ", PortText(canonical), " is named twice"));
      }
    }
    out->push_back(std::move(canonical));
  }
  return absl::OkStatus();
}

}  // namespace crisp::netns
