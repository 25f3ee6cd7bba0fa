// IPv4 addresses and networks as values in host byte order.
#ifndef CRISP_NETNS_IPV4_H_
#define CRISP_NETNS_IPV4_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::netns {

struct Ipv4 {
  uint32_t value = 0;

  static absl::StatusOr<Ipv4> Parse(absl::string_view text);  // InvalidArgument
  std::string ToString() const;
  uint32_t NetworkOrder() const;

  friend bool operator==(Ipv4 a, Ipv4 b) { return a.value == b.value; }
  friend bool operator!=(Ipv4 a, Ipv4 b) { return a.value != b.value; }
  friend bool operator<(Ipv4 a, Ipv4 b) { return a.value < b.value; }
};

// An address with the length of its network's prefix.
struct Ipv4Net {
  Ipv4 address;
  int prefix = 32;

  static absl::StatusOr<Ipv4Net> Parse(absl::string_view text);  // "10.1.0.0/16"
  std::string ToString() const;
  Ipv4 Network() const;
  Ipv4 Broadcast() const;
  bool Contains(Ipv4 other) const;
  bool Overlaps(const Ipv4Net& other) const;
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_IPV4_H_
