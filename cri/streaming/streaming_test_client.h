// A client of the streaming server as tests need it: one blocking socket, bytes as they
// are on the wire.
#ifndef CRISP_CRI_STREAMING_STREAMING_TEST_CLIENT_H_
#define CRISP_CRI_STREAMING_STREAMING_TEST_CLIENT_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "cri/streaming/spdy_frame.h"
#include "cri/streaming/spdy_headers.h"

namespace crisp::cri {

class TestSocket {
 public:
  // "http://127.0.0.1:1234/exec/token"
  explicit TestSocket(const std::string& url) {
    const size_t host = url.find("//") + 2, colon = url.find(':', host);
    const size_t slash = url.find('/', host);
    path_ = slash == std::string::npos ? "/" : url.substr(slash);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    uint32_t port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(url.substr(colon + 1, slash - colon - 1), &port));
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  int fd() const { return fd_.get(); }
  void Close() { fd_.reset(); }

  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  // Some bytes; empty at the end, or after ten seconds without any.
  std::string Receive(int timeout_ms = 10000) {
    pollfd wait = {fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, timeout_ms) <= 0) return "";
    char buffer[64 << 10];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    return n <= 0 ? "" : std::string(buffer, static_cast<size_t>(n));
  }

  // Asks for an upgrade; returns the answer's head. What follows it is kept in rest().
  std::string Upgrade(const std::string& headers, const std::string& method = "POST") {
    Send(absl::StrCat(method, " ", path_, " HTTP/1.1\r\nHost: crisp\r\n", headers, "\r\n"));
    std::string text;
    while (!absl::StrContains(text, "\r\n\r\n")) {
      const std::string more = Receive();
      if (more.empty()) return text;
      text += more;
    }
    const size_t end = text.find("\r\n\r\n") + 4;
    rest_ = text.substr(end);
    return text.substr(0, end);
  }
  std::string TakeRest() { return std::exchange(rest_, ""); }

 private:
  UniqueFd fd_;
  std::string path_;
  std::string rest_;
};

inline std::string SpdyUpgrade(const std::string& protocol) {
  return absl::StrCat("Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n",
                      "X-Stream-Protocol-Version: ", protocol, "\r\n");
}

class TestSpdy {
 public:
  explicit TestSpdy(TestSocket* socket)
      : socket_(*socket),
        parser_({.on_control =
                     [this](SpdyControl control) {
                       if (control.type == SpdyType::kSynReply) {
                         EXPECT_TRUE(decoder_.Decode(control.header_block).ok());
                         text[control.stream_id] += "";
                       }
                       if (control.type == SpdyType::kRstStream) {
                         text[control.stream_id] += "<reset>";
                       }
                       if (control.type == SpdyType::kGoAway) gone_away = true;
                       if (control.type == SpdyType::kPing) ++pings;
                       return absl::OkStatus();
                     },
                 .on_data =
                     [this](uint32_t id, absl::string_view data, bool fin) {
                       absl::StrAppend(&text[id], data, fin ? "<fin>" : "");
                       return absl::OkStatus();
                     }}) {}

  uint32_t Open(const SpdyHeaders& headers, bool fin = false) {
    const uint32_t id = next_;
    next_ += 2;
    socket_.Send(SpdySynStream(id, encoder_.Encode(headers), fin ? kSpdyFin : 0));
    return id;
  }
  void Data(uint32_t id, absl::string_view data, bool fin = false) {
    socket_.Send(absl::StrCat(SpdyDataHeader(id, data.size(), fin), data));
  }

  // Reads until `done` or nothing comes for ten seconds. True if done.
  template <typename Done>
  bool Until(Done done) {
    std::string rest = socket_.TakeRest();
    while (true) {
      EXPECT_TRUE(parser_.Feed(rest).ok());
      if (done()) return true;
      rest = socket_.Receive();
      if (rest.empty()) {
        ended = true;
        return done();
      }
    }
  }

  std::map<uint32_t, std::string> text;  // Of each stream, "<fin>" and "<reset>" in it.
  bool gone_away = false;
  bool ended = false;
  int pings = 0;

 private:
  TestSocket& socket_;
  SpdyHeaderEncoder encoder_;
  SpdyHeaderDecoder decoder_;
  SpdyParser parser_;
  uint32_t next_ = 1;
};

inline std::string WebSocketUpgrade(const std::string& protocol) {
  return absl::StrCat(
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
      protocol.empty() ? "" : absl::StrCat("Sec-WebSocket-Protocol: ", protocol, "\r\n"));
}

class TestWebSocket {
 public:
  explicit TestWebSocket(TestSocket* socket) : socket_(*socket) { bytes_ = socket->TakeRest(); }

  // A masked frame, as clients send them; the mask is zero.
  void Message(absl::string_view data, uint8_t opcode = 2) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (data.size() < 126) {
      frame.push_back(static_cast<char>(0x80 | data.size()));
    } else {
      frame.push_back(static_cast<char>(0x80 | 127));
      for (int shift = 56; shift >= 0; shift -= 8) {
        frame.push_back(static_cast<char>(static_cast<uint64_t>(data.size()) >> shift));
      }
    }
    frame.append(4, '\0');
    socket_.Send(absl::StrCat(frame, data));
  }

  // The next message with its opcode before it ("2..."); empty at the end.
  std::string Next() {
    while (true) {
      size_t head = 2, length = bytes_.size() >= 2 ? bytes_[1] & 0x7f : 0;
      if (length >= 126) {
        const size_t extra = length == 126 ? 2 : 8;
        head += extra;
        length = 0;
        for (size_t i = 0; i < extra && 2 + i < bytes_.size(); ++i) {
          length = length << 8 | static_cast<uint8_t>(bytes_[2 + i]);
        }
      }
      if (bytes_.size() >= head && bytes_.size() >= head + length) {
        std::string message = absl::StrCat(bytes_[0] & 0x0f, bytes_.substr(head, length));
        bytes_.erase(0, head + length);
        return message;
      }
      const std::string more = socket_.Receive();
      if (more.empty()) return "";
      bytes_ += more;
    }
  }

 private:
  TestSocket& socket_;
  std::string bytes_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_STREAMING_TEST_CLIENT_H_
