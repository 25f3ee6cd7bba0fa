#include "agent/probes/tcp_connect.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {
namespace {

// In kubelet's words, which people search for.
absl::Status Refused(int error, const std::string& what) {
  const absl::Status kept = ErrnoStatus(error, what);
  absl::Status status(
      kept.code(),
      absl::StrCat(what, ": connect: ", absl::AsciiStrToLower(::strerrordesc_np(error))));
  kept.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& value) { status.SetPayload(type, value); });
  return status;
}

absl::Status ConnectOne(const addrinfo& to, const std::string& what, absl::Duration deadline) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, SysFd("socket", [&] {
                           return ::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                           0);
                         }));
  if (::connect(fd.get(), to.ai_addr, to.ai_addrlen) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS) return Refused(errno, what);
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - Clock::Real()->Steady());
    if (left <= 0) return absl::DeadlineExceededError(absl::StrCat(what, ": i/o timeout"));
    pollfd wait = {fd.get(), POLLOUT, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready <= 0) continue;
    int error = 0;
    socklen_t size = sizeof(error);
    CRISP_RETURN_IF_ERROR(Sys(
        "getsockopt", [&] { return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size); }));
    return error == 0 ? absl::OkStatus() : Refused(error, what);
  }
}

}  // namespace

absl::Status TcpConnect(const std::string& host, int port, absl::Duration timeout) {
  const absl::Duration deadline = Clock::Real()->Steady() + timeout;
  const std::string what = absl::StrCat("dial tcp ", host, ":", port);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (code != 0) return absl::NotFoundError(absl::StrCat(what, ": ", ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, ::freeaddrinfo);
  absl::Status status = absl::NotFoundError(absl::StrCat(what, ": no address"));
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    status = ConnectOne(*one, what, deadline);
    if (status.ok()) return status;
  }
  return status;
}

}  // namespace crisp::agent
