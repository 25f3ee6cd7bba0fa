// The kernel's memory of UDP flows, as far as it outlives a change of host ports.
//
// A flow that is remembered keeps the translation that it began with. A client that
// goes on sending to a published UDP port would reach a pod that is gone, or miss
// one that has just come, until it pauses for half a minute. TCP clients reconnect.
//
// Threads: free functions, in the calling thread's network namespace.
// Errors:  errno kept.
#ifndef CRISP_NETNS_BUILTIN_CONNTRACK_H_
#define CRISP_NETNS_BUILTIN_CONNTRACK_H_

#include <cstdint>
#include <set>

#include "absl/status/status.h"

namespace crisp::netns {

// Forgets every IPv4 UDP flow that was first sent to one of `ports`.
absl::Status ForgetUdpFlowsTo(const std::set<uint16_t>& ports);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_BUILTIN_CONNTRACK_H_
