#include "cri/spec/text_files.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cri/spec/dns_config.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
absl::StatusOr<std::string> RenderHostname(absl::string_view hostname) {
  CRISP_RETURN_IF_ERROR(ValidateHostname("hostname", hostname));
  return absl::StrCat(hostname, "\n");
}

absl::StatusOr<std::string> RenderHosts(absl::string_view hostname,
                                        const std::vector<std::string>& pod_ips) {
  CRISP_RETURN_IF_ERROR(ValidateHostname("hostname", hostname));
  std::string out =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::0\tip6-localnet\n"
      "ff00::0\tip6-mcastprefix\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  // A fully qualified name is followed by its first label, as hosts(5) suggests.
  const absl::string_view label = hostname.substr(0, hostname.find('.'));
  for (const std::string& ip : pod_ips) {
    if (!IsIpAddress(ip)) return BadField("pod IP", absl::StrCat(Quoted(ip), " is not an address"));
    absl::StrAppend(&out, ip, "\t", hostname);
    if (label != hostname) absl::StrAppend(&out, " ", label);
    out.push_back('\n');
  }
  return out;
}

absl::StatusOr<std::string> RenderResolvConf(const runtime::v1::PodSandboxConfig& config,
                                             absl::string_view host_resolv_conf) {
  if (!config.has_dns_config()) return std::string(host_resolv_conf);
  CRISP_RETURN_IF_ERROR(ValidateDnsConfig("config.dns_config", config.dns_config()));
  const runtime::v1::DNSConfig& dns = config.dns_config();
  // A configuration without anything in it means the node's, too: that is what
  // the default DNS policy of a pod without a cluster's DNS comes down to.
  if (dns.servers().empty() && dns.searches().empty() && dns.options().empty()) {
    return std::string(host_resolv_conf);
  }
  std::string out;
  if (!dns.searches().empty()) {
    absl::StrAppend(&out, "search ", absl::StrJoin(dns.searches(), " "), "\n");
  }
  for (const std::string& server : dns.servers())
    absl::StrAppend(&out, "nameserver ", server, "\n");
  if (!dns.options().empty()) {
    absl::StrAppend(&out, "options ", absl::StrJoin(dns.options(), " "), "\n");
  }
  return out;
}

}  // namespace crisp::cri
