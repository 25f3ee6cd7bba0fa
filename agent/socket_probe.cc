#include "agent/socket_probe.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {

std::string GrpcTarget(const std::string& address) {
  return absl::StartsWith(address, "/") ? absl::StrCat("unix://", address) : address;
}

absl::Status ProbeSocket(absl::string_view target) {
  if (!absl::ConsumePrefix(&target, "unix:")) return absl::OkStatus();
  if (absl::StartsWith(target, "//")) target.remove_prefix(2);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (target.size() >= sizeof(address.sun_path)) return ErrnoStatus(ENAMETOOLONG, "connect");
  std::memcpy(address.sun_path, target.data(), target.size());
  const auto fd = SysFd("socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); });
  if (!fd.ok()) return fd.status();
  return Sys("connect", [&] {
    return ::connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  });
}

}  // namespace crisp::agent
