// A process's five sets of Linux capabilities (capabilities(7)).
//
// Threads: free functions; they change the calling thread.
// Errors:  errno kept.
#ifndef CRISP_SHIM_LAUNCH_CAPABILITIES_H_
#define CRISP_SHIM_LAUNCH_CAPABILITIES_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// `wanted` as far as the calling process may have it: the host may hold back some, to
// all that runs on it.
absl::StatusOr<Capabilities> ClampCapabilities(const Capabilities& wanted);

// First of two steps around the change of user: what is not in `sets.bounding` leaves
// the bounding set, and permitted capabilities outlive setuid.
absl::Status DropBounding(const Capabilities& sets);

// Second: the four other sets become exactly `sets`.
absl::Status SetCapabilities(const Capabilities& sets);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_CAPABILITIES_H_
