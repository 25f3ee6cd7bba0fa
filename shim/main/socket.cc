#include "shim/main/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr int kBacklog = 128;

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket path is too long: ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<UniqueFd> NewSocket() {
  return SysFd("socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); });
}

}  // namespace

std::string SocketPath(const std::string& directory, const std::string& address,
                       const std::string& container_namespace, const std::string& group) {
  const std::string key = CleanPath(absl::StrCat(address, "/", container_namespace, "/", group));
  return JoinPath(directory, Sha256Hex(key));
}

absl::StatusOr<UniqueFd> ListenOrFind(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  const std::string directory = path.substr(0, path.rfind('/'));
  CRISP_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  // Two that start at once would each take the other's socket, bound and not listening
  // yet, for a dead one.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd lock, OpenDir(directory));
  CRISP_RETURN_IF_ERROR(Sys("flock", [&] { return ::flock(lock.get(), LOCK_EX); }));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);

  CRISP_ASSIGN_OR_RETURN(const UniqueFd probe, NewSocket());
  if (::connect(probe.get(), name, sizeof(address)) == 0) return UniqueFd();
  // ECONNREFUSED: the shim has died. EAGAIN: its queue is full, so it lives.
  if (errno == EAGAIN) return UniqueFd();
  if (errno == ECONNREFUSED) {
    (void)::unlink(path.c_str());
  } else if (errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("connect ", path));
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd listener, NewSocket());
  const mode_t old = ::umask(0177);
  const absl::Status bound = Sys(absl::StrCat("bind ", path),
                                 [&] { return ::bind(listener.get(), name, sizeof(address)); });
  ::umask(old);
  CRISP_RETURN_IF_ERROR(bound);
  CRISP_RETURN_IF_ERROR(Sys("listen", [&] { return ::listen(listener.get(), kBacklog); }));
  return listener;
}

}  // namespace crisp::shim
