// The socket that the shim of a group of containers listens on, found by its name alone:
//
//   /run/containerd/s/<sha256 of containerd's address, the namespace and the group>
//
// The second container of a pod so finds the shim of the first.
//
// Errors: errno. Crash: a socket whose shim has died is replaced.
#ifndef CRISP_SHIM_MAIN_SOCKET_H_
#define CRISP_SHIM_MAIN_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

std::string SocketPath(const std::string& directory, const std::string& address,
                       const std::string& container_namespace, const std::string& group);

// A listening socket at `path` (0600 in a 0700 directory), or no descriptor if a shim
// listens there already.
absl::StatusOr<UniqueFd> ListenOrFind(const std::string& path);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_SOCKET_H_
