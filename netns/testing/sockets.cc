#include "netns/testing/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "netns/in_netns.h"

namespace crisp::netns {
namespace {

absl::Status InNetNs(const std::string& path, const std::function<absl::Status()>& body) {
  return path.empty() ? body() : RunInNetNs(path, body);
}

sockaddr_in AddressOf(const std::string& ip, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

absl::StatusOr<UniqueFd> Socket(const std::string& protocol) {
  const int type = protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM;
  const int number = protocol == "sctp" ? IPPROTO_SCTP : 0;
  return SysFd("socket", [&] { return ::socket(AF_INET, type | SOCK_CLOEXEC, number); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<WhoAmIServer>> WhoAmIServer::Start(const std::string& netns_path,
                                                                  const std::string& protocol,
                                                                  int port) {
  UniqueFd socket;
  CRISP_RETURN_IF_ERROR(InNetNs(netns_path, [&]() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(socket, Socket(protocol));
    const sockaddr_in address = AddressOf("0.0.0.0", port);
    CRISP_RETURN_IF_ERROR(Sys("bind", [&] {
      return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }));
    if (protocol == "udp") return absl::OkStatus();
    return Sys("listen", [&] { return ::listen(socket.get(), 16); });
  }));
  return std::unique_ptr<WhoAmIServer>(new WhoAmIServer(std::move(socket), protocol == "udp"));
}

WhoAmIServer::WhoAmIServer(UniqueFd socket, bool datagrams)
    : socket_(std::move(socket)), datagrams_(datagrams) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  stop_read_.reset(ends[0]);
  stop_write_.reset(ends[1]);
  thread_ = std::thread([this] { Serve(); });
}

WhoAmIServer::~WhoAmIServer() {
  stop_write_.reset();
  thread_.join();
}

void WhoAmIServer::Serve() {
  while (true) {
    pollfd fds[] = {{socket_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    sockaddr_in peer{};
    socklen_t length = sizeof(peer);
    char text[INET_ADDRSTRLEN] = "";
    if (datagrams_) {
      char buffer[16];
      (void)::recvfrom(socket_.get(), buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&peer),
                       &length);
      ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
      (void)::sendto(socket_.get(), text, std::strlen(text), 0, reinterpret_cast<sockaddr*>(&peer),
                     length);
    } else {
      UniqueFd client(
          ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
      ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
      (void)::send(client.get(), text, std::strlen(text), MSG_NOSIGNAL);
    }
  }
}

absl::StatusOr<SteadyUdpClient> SteadyUdpClient::Make(const std::string& ip, int port) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd socket, Socket("udp"));
  const timeval half_a_second{0, 500000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &half_a_second, sizeof(half_a_second));
  const sockaddr_in address = AddressOf(ip, port);
  CRISP_RETURN_IF_ERROR(Sys("connect", [&] {
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }));
  return SteadyUdpClient(std::move(socket));
}

absl::StatusOr<std::string> SteadyUdpClient::Ask() {
  CRISP_RETURN_IF_ERROR(Sys("send", [&] { return ::send(socket_.get(), "?", 1, MSG_NOSIGNAL); }));
  char buffer[64];
  CRISP_ASSIGN_OR_RETURN(const ssize_t n, SysValue("read", [&] {
                           return ::recv(socket_.get(), buffer, sizeof(buffer), 0);
                         }));
  return std::string(buffer, static_cast<size_t>(n));
}

absl::StatusOr<std::string> WhoAmI(const std::string& netns_path, const std::string& protocol,
                                   const std::string& ip, int port) {
  std::string answer;
  CRISP_RETURN_IF_ERROR(InNetNs(netns_path, [&]() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(UniqueFd socket, Socket(protocol));
    const timeval two_seconds{2, 0};
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
      ::setsockopt(socket.get(), SOL_SOCKET, option, &two_seconds, sizeof(two_seconds));
    }
    const sockaddr_in address = AddressOf(ip, port);
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("connect to ", ip, ":", port), [&] {
      return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }));
    if (protocol == "udp") {
      CRISP_RETURN_IF_ERROR(
          Sys("send", [&] { return ::send(socket.get(), "?", 1, MSG_NOSIGNAL); }));
    }
    char buffer[64];
    CRISP_ASSIGN_OR_RETURN(
        const ssize_t n, SysValue(absl::StrCat("read from ", ip, ":", port),
                                  [&] { return ::recv(socket.get(), buffer, sizeof(buffer), 0); }));
    answer.assign(buffer, static_cast<size_t>(n));
    return absl::OkStatus();
  }));
  return answer;
}

}  // namespace crisp::netns
