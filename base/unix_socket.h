// Stream sockets of AF_UNIX, by a path (unix(7)).
//
// Threads: free functions without state.
// Errors:  InvalidArgument (ENAMETOOLONG) for a path of more than kUnixPathBytes; else the
//          errno of socket, connect, bind or listen, with the path.
// Crash:   a listener's file stays; whoever listens next has to remove it.
#ifndef CRISP_BASE_UNIX_SOCKET_H_
#define CRISP_BASE_UNIX_SOCKET_H_

#include <sys/types.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp {

// The longest path: sun_path has a byte for its end.
inline constexpr size_t kUnixPathBytes = 107;

// `flags` are socket(2)'s, besides SOCK_CLOEXEC. Such a socket connects at once or, with
// SOCK_NONBLOCK and too many that wait already, fails with EAGAIN.
absl::StatusOr<UniqueFd> ConnectUnix(absl::string_view path, int flags = 0);

// Nothing may be at `path`. The file has mode 0600 from the start, whatever the umask allows
// besides. `backlog` is listen(2)'s.
absl::StatusOr<UniqueFd> ListenUnix(absl::string_view path, int backlog);

// Who is at the other end of a connected socket: the process that called listen(2) or
// connect(2) then, which may be gone.
absl::StatusOr<pid_t> PeerPid(int fd);

}  // namespace crisp

#endif  // CRISP_BASE_UNIX_SOCKET_H_
