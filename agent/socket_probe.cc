#include "agent/socket_probe.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/unix_socket.h"

namespace crisp::agent {

std::string GrpcTarget(const std::string& address) {
  return absl::StartsWith(address, "/") ? absl::StrCat("unix://", address) : address;
}

absl::Status ProbeSocket(absl::string_view target) {
  if (!absl::ConsumePrefix(&target, "unix:")) return absl::OkStatus();
  if (absl::StartsWith(target, "//")) target.remove_prefix(2);
  return ConnectUnix(target).status();
}

}  // namespace crisp::agent
