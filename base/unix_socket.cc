#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp {
namespace {

static_assert(sizeof(sockaddr_un::sun_path) == kUnixPathBytes + 1);

absl::StatusOr<sockaddr_un> AddressOf(absl::string_view path) {
  if (path.size() > kUnixPathBytes) {
    return ErrnoStatus(ENAMETOOLONG, absl::StrCat(path, ": longer than the ", kUnixPathBytes,
                                                  " bytes that a socket's path may have"));
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  return address;
}

absl::StatusOr<UniqueFd> NewSocket(int flags) {
  return SysFd("socket", [=] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0); });
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectUnix(absl::string_view path, int flags) {
  CRISP_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, NewSocket(flags));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("connect to ", path), [&] {
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }));
  return fd;
}

absl::StatusOr<UniqueFd> ListenUnix(absl::string_view path, int backlog) {
  CRISP_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, NewSocket(0));
  // bind(2) gives the file the socket's own mode, so it is unreachable for others from its
  // birth.
  CRISP_RETURN_IF_ERROR(Sys("fchmod", [&] { return ::fchmod(fd.get(), 0600); }));
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("bind ", path), [&] {
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("listen on ", path), [&] { return ::listen(fd.get(), backlog); }));
  return fd;
}

absl::StatusOr<pid_t> PeerPid(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  CRISP_RETURN_IF_ERROR(Sys("getsockopt SO_PEERCRED", [&] {
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  }));
  return peer.pid;
}

}  // namespace crisp
