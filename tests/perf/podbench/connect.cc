#include "tests/perf/podbench/connect.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::podbench {

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd("socket", [] {
                           return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                         }));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket"));
  }
  path.copy(address.sun_path, path.size());
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("connect ", path), [&] {
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }));
  return fd;
}

}  // namespace crisp::podbench
