// Linux capabilities of a container's process: CRI's add, drop and ambient lists
// over the 14 that containers have by default.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the list, for a name the kernel headers do not
//          know, and for one asked for by name that this host does not grant.
#ifndef CRISP_CRI_SPEC_CAPABILITIES_H_
#define CRISP_CRI_SPEC_CAPABILITIES_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// Bit n is capability number n.
struct CapabilitySets {
  uint64_t bounding = 0;  // Also permitted and effective.
  uint64_t ambient = 0;   // Also inheritable; a subset of bounding.
};

// Number of a capability: "CAP_CHOWN", "CHOWN", "chown". -1 if unknown.
int CapabilityByName(absl::string_view name);
std::vector<std::string> CapabilityNames(uint64_t set);
bool HasCapability(uint64_t set, absl::string_view name);

// `available` is what this host can give (HostFacts::capability_bounds). "ALL"
// counts first, then the adds, then the drops.
absl::StatusOr<CapabilitySets> ResolveCapabilities(const runtime::v1::Capability& request,
                                                   bool privileged, uint64_t available);

// OCI process.capabilities.
nlohmann::json CapabilitiesToOci(const CapabilitySets& sets);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_CAPABILITIES_H_
