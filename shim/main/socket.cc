#include "shim/main/socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unix_socket.h"

namespace crisp::shim {
namespace {

constexpr int kBacklog = 128;

}  // namespace

std::string SocketPath(const std::string& directory, const std::string& address,
                       const std::string& container_namespace, const std::string& group) {
  const std::string key = CleanPath(absl::StrCat(address, "/", container_namespace, "/", group));
  return JoinPath(directory, Sha256Hex(key));
}

absl::StatusOr<UniqueFd> ListenOrFind(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  CRISP_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  // Two that start at once would each take the other's socket, bound and not listening
  // yet, for a dead one.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd lock, OpenDir(directory));
  CRISP_RETURN_IF_ERROR(Sys("flock", [&] { return ::flock(lock.get(), LOCK_EX); }));

  const absl::Status connected = ConnectUnix(path, SOCK_NONBLOCK).status();
  const int error = ErrnoOf(connected);
  // EAGAIN: its queue is full, so it lives.
  if (connected.ok() || error == EAGAIN) return UniqueFd();
  // ECONNREFUSED: the shim has died.
  if (error == ECONNREFUSED) {
    (void)::unlink(path.c_str());
  } else if (error != ENOENT) {
    return connected;
  }
  return ListenUnix(path, kBacklog);
}

}  // namespace crisp::shim
