#include "cri/images/testing/http_stub.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace crisp::cri {
namespace {

constexpr int kPollMs = 20;

// False once the peer is gone or the stub stops.
bool ReadMore(int fd, const std::atomic<bool>& stop, std::string* buffer) {
  pollfd poller{fd, POLLIN, 0};
  while (!stop) {
    if (::poll(&poller, 1, kPollMs) == 0) continue;
    char bytes[4096];
    const ssize_t n = ::recv(fd, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    buffer->append(bytes, static_cast<size_t>(n));
    return true;
  }
  return false;
}

bool SendAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

HttpStub::HttpStub(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

HttpStub::~HttpStub() {
  stop_ = true;
  acceptor_.join();
  std::vector<std::thread> connections;
  {
    absl::MutexLock lock(&mu_);
    connections.swap(connections_);
  }
  for (std::thread& one : connections) one.join();
}

std::string HttpStub::Address() const { return absl::StrCat("localhost:", port_); }

std::vector<StubRequest> HttpStub::Requests() const {
  absl::MutexLock lock(&mu_);
  return requests_;
}

int HttpStub::Count(const std::string& method, const std::string& path_end) const {
  absl::MutexLock lock(&mu_);
  int count = 0;
  for (const StubRequest& one : requests_) {
    if (one.method == method && absl::EndsWith(one.path, path_end)) ++count;
  }
  return count;
}

void HttpStub::Accept() {
  pollfd poller{listener_.get(), POLLIN, 0};
  while (!stop_) {
    if (::poll(&poller, 1, kPollMs) <= 0) continue;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    absl::MutexLock lock(&mu_);
    connections_.emplace_back([this, fd] { Serve(fd); });
  }
}

void HttpStub::Serve(int raw) {
  const UniqueFd fd(raw);
  std::string buffer;
  while (true) {
    size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      // Whoever speaks TLS to us gets an answer that is none.
      if (!buffer.empty() && buffer[0] == '\x16') {
        (void)SendAll(fd.get(), "HTTP/1.0 400 Bad Request\r\n\r\n");
        return;
      }
      if (!ReadMore(fd.get(), stop_, &buffer)) return;
    }
    StubRequest request;
    std::vector<std::string> lines = absl::StrSplit(buffer.substr(0, end), "\r\n");
    buffer.erase(0, end + 4);
    const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
    if (first.size() < 2) return;
    request.method = first[0];
    const size_t question = first[1].find('?');
    request.path = first[1].substr(0, question);
    if (question != std::string::npos) request.query = first[1].substr(question + 1);
    for (size_t i = 1; i < lines.size(); ++i) {
      const size_t colon = lines[i].find(':');
      if (colon == std::string::npos) continue;
      request.headers[absl::AsciiStrToLower(lines[i].substr(0, colon))] =
          std::string(absl::StripAsciiWhitespace(lines[i].substr(colon + 1)));
    }
    const size_t length = static_cast<size_t>(std::atoll(request.Header("content-length").c_str()));
    while (buffer.size() < length) {
      if (!ReadMore(fd.get(), stop_, &buffer)) return;
    }
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    {
      absl::MutexLock lock(&mu_);
      requests_.push_back(request);
    }
    const StubReply reply = handler_(request);
    const int64_t announced =
        reply.content_length >= 0 ? reply.content_length : static_cast<int64_t>(reply.body.size());
    std::string head =
        absl::StrCat("HTTP/1.1 ", reply.status, " X\r\nContent-Length: ", announced, "\r\n");
    for (const auto& [name, value] : reply.headers) {
      absl::StrAppend(&head, name, ": ", value, "\r\n");
    }
    if (!SendAll(fd.get(), absl::StrCat(head, "\r\n"))) return;
    if (request.method == "HEAD") continue;
    if (reply.cut_after >= 0 || reply.stall) {
      (void)SendAll(fd.get(), reply.body.substr(0, static_cast<size_t>(reply.cut_after)));
      for (pollfd hang{fd.get(), 0, 0}; reply.stall && !stop_;) {
        if (::poll(&hang, 1, kPollMs) > 0) break;
      }
      return;
    }
    if (!SendAll(fd.get(), reply.body)) return;
  }
}

}  // namespace crisp::cri
