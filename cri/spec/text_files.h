// The text files that a pod's containers share: hostname, hosts, resolv.conf.
//
// Values come from a request; none may bring a line of its own, so control
// characters are refused, and lengths and counts are bounded.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the field.
#ifndef CRISP_CRI_SPEC_TEXT_FILES_H_
#define CRISP_CRI_SPEC_TEXT_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// "name\n".
absl::StatusOr<std::string> RenderHostname(absl::string_view hostname);

// Loopback names, then each pod IP with the hostname. A host-network pod gets the
// host's file instead: read it, do not render it.
absl::StatusOr<std::string> RenderHosts(absl::string_view hostname,
                                        const std::vector<std::string>& pod_ips);

// The pod's DNS configuration, or `host_resolv_conf` as it is when there is none.
absl::StatusOr<std::string> RenderResolvConf(const runtime::v1::PodSandboxConfig& config,
                                             absl::string_view host_resolv_conf);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_TEXT_FILES_H_
