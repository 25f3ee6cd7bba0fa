#include "netns/ipv4.h"

#include <arpa/inet.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp::netns {
namespace {

uint32_t Mask(int prefix) { return prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix); }

}  // namespace

absl::StatusOr<Ipv4> Ipv4::Parse(absl::string_view text) {
  in_addr address{};
  // inet_pton takes four decimal parts and nothing else.
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not an IPv4 address"));
  }
  return Ipv4{ntohl(address.s_addr)};
}

std::string Ipv4::ToString() const {
  return absl::StrCat(value >> 24, ".", (value >> 16) & 255, ".", (value >> 8) & 255, ".",
                      value & 255);
}

uint32_t Ipv4::NetworkOrder() const { return htonl(value); }

absl::StatusOr<Ipv4Net> Ipv4Net::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  Ipv4Net net;
  if (slash == absl::string_view::npos || !absl::SimpleAtoi(text.substr(slash + 1), &net.prefix) ||
      net.prefix < 0 || net.prefix > 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an IPv4 network such as 10.85.0.0/16"));
  }
  auto address = Ipv4::Parse(text.substr(0, slash));
  if (!address.ok()) return address.status();
  net.address = *address;
  return net;
}

std::string Ipv4Net::ToString() const { return absl::StrCat(address.ToString(), "/", prefix); }

Ipv4 Ipv4Net::Network() const { return Ipv4{address.value & Mask(prefix)}; }

Ipv4 Ipv4Net::Broadcast() const { return Ipv4{address.value | ~Mask(prefix)}; }

bool Ipv4Net::Contains(Ipv4 other) const { return (other.value & Mask(prefix)) == Network().value; }

bool Ipv4Net::Overlaps(const Ipv4Net& other) const {
  return prefix < other.prefix ? Contains(other.address) : other.Contains(address);
}

}  // namespace crisp::netns
