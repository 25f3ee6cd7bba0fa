// User namespaces and their id maps (user_namespaces(7)).
//
// Threads: free functions; UserNamespaceWith forks for a moment.
// Errors:  errno kept.
#ifndef CRISP_SHIM_LAUNCH_ID_MAPS_H_
#define CRISP_SHIM_LAUNCH_ID_MAPS_H_

#include <sys/types.h>

#include <array>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// Writes the maps of the new user namespace that `pid` is in, from outside it.
absl::Status WriteIdMaps(pid_t pid, const IdMaps& maps);

// The maps of the user namespace that `pid` is in.
absl::StatusOr<IdMaps> ReadIdMaps(pid_t pid);

// Pipes and sockets that a process in a user namespace with these maps gets as its streams:
// `user` owns them from now on. The process itself may not take what is not mapped.
absl::Status GiveStreams(const std::array<int, 3>& streams, const User& user, const IdMaps& maps);

// A user namespace with these maps and nobody in it, for idmapped mounts.
absl::StatusOr<UniqueFd> UserNamespaceWith(const IdMaps& maps);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_ID_MAPS_H_
