// Names and addresses of a pod: its host name and its DNS configuration.
//
// Threads: free functions.
// Errors:  InvalidArgument, "<field path>: <reason>".
#ifndef CRISP_CRI_SPEC_DNS_CONFIG_H_
#define CRISP_CRI_SPEC_DNS_CONFIG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// An IPv4 or IPv6 address as text, without prefix or zone.
bool IsIpAddress(const std::string& text);

// A DNS name that fits into the kernel's 64 bytes. Case does not count.
absl::Status ValidateHostname(absl::string_view field, absl::string_view hostname);

// Addresses, domains and options that keep to their line in resolv.conf. `field`
// is the path of `dns` in the request.
absl::Status ValidateDnsConfig(absl::string_view field, const runtime::v1::DNSConfig& dns);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_DNS_CONFIG_H_
