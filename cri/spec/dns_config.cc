#include "cri/spec/dns_config.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxName = 253;
constexpr size_t kMaxHostname = 64;  // __NEW_UTS_LEN
constexpr int kMaxServers = 16;
constexpr int kMaxSearches = 32;
constexpr size_t kMaxSearchBytes = 2048;
constexpr int kMaxOptions = 32;
constexpr size_t kMaxOption = 255;

// A link-local name server needs its interface: fe80::1%eth0.
bool IsNameServer(const std::string& text) {
  const size_t zone = text.find('%');
  if (zone == std::string::npos) return IsIpAddress(text);
  const std::string address = text.substr(0, zone);
  const std::string name = text.substr(zone + 1);
  return absl::StrContains(address, ':') && IsIpAddress(address) && !name.empty() &&
         name.size() < IFNAMSIZ && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isgraph(c) && c != '/';
         });
}

}  // namespace

bool IsIpAddress(const std::string& text) {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address) == 1;
}

absl::Status ValidateHostname(absl::string_view field, absl::string_view hostname) {
  if (hostname.empty()) return BadField(field, "is empty");
  if (hostname.size() > kMaxHostname) return BadField(field, "is longer than 64 characters");
  if (!IsDnsSubdomain(absl::AsciiStrToLower(hostname))) {
    return BadField(field, absl::StrCat(Quoted(hostname), " is not a DNS name"));
  }
  return absl::OkStatus();
}

absl::Status ValidateDnsConfig(absl::string_view field, const runtime::v1::DNSConfig& dns) {
  if (dns.servers_size() > kMaxServers) {
    return BadField(absl::StrCat(field, ".servers"), "more than 16 servers");
  }
  for (int i = 0; i < dns.servers_size(); ++i) {
    if (IsNameServer(dns.servers(i))) continue;
    return BadField(absl::StrCat(field, ".servers[", i, "]"),
                    absl::StrCat(Quoted(dns.servers(i)), " is not an address"));
  }
  if (dns.searches_size() > kMaxSearches) {
    return BadField(absl::StrCat(field, ".searches"), "more than 32 domains");
  }
  size_t bytes = 0;
  for (int i = 0; i < dns.searches_size(); ++i) {
    const std::string& search = dns.searches(i);
    const bool name = !search.empty() && search.size() <= kMaxName &&
                      std::all_of(search.begin(), search.end(), [](char c) {
                        return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
                      });
    if (!name) {
      return BadField(absl::StrCat(field, ".searches[", i, "]"),
                      absl::StrCat(Quoted(search), " is not a domain"));
    }
    bytes += search.size() + 1;
  }
  if (bytes > kMaxSearchBytes) {
    return BadField(absl::StrCat(field, ".searches"), "longer than 2048 characters");
  }
  if (dns.options_size() > kMaxOptions) {
    return BadField(absl::StrCat(field, ".options"), "more than 32 options");
  }
  for (int i = 0; i < dns.options_size(); ++i) {
    const std::string& option = dns.options(i);
    if (option.empty() || option.size() > kMaxOption ||
        !std::all_of(option.begin(), option.end(), absl::ascii_isgraph)) {
      return BadField(absl::StrCat(field, ".options[", i, "]"),
                      absl::StrCat(Quoted(option), " is not one word"));
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri
