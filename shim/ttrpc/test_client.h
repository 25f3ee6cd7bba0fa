// For tests: a ttrpc client that turns the server's own loop while it waits.
#ifndef CRISP_SHIM_TTRPC_TEST_CLIENT_H_
#define CRISP_SHIM_TTRPC_TEST_CLIENT_H_

#include <google/protobuf/message_lite.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/unique_fd.h"
#include "shim/loop/loop.h"
#include "shim/loop/run_until.h"
#include "shim/ttrpc/frame.h"

namespace crisp::shim {

class TestClient {
 public:
  TestClient(Loop* loop, const std::string& path) : loop_(loop) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  bool closed() const { return closed_; }
  int fd() const { return socket_.get(); }

  void SendRaw(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n =
          ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else {
        RunFor(loop_, absl::Milliseconds(1));
        if (closed_) return;
      }
    }
  }

  // The stream of the call.
  uint32_t Send(absl::string_view service, absl::string_view method,
                const google::protobuf::MessageLite& message) {
    wire::Request request;
    request.set_service(std::string(service));
    request.set_method(std::string(method));
    request.set_payload(message.SerializeAsString());
    const uint32_t stream = next_stream_;
    next_stream_ += 2;
    std::string frame;
    AppendFrame(&frame, stream, FrameType::kRequest, request.SerializeAsString());
    SendRaw(frame);
    return stream;
  }

  // Takes in what has come.
  void Receive() {
    char buffer[65536];
    while (true) {
      const ssize_t n = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n == 0) closed_ = true;
      if (n <= 0) return;
      parser_.Feed(absl::string_view(buffer, static_cast<size_t>(n)),
                   [this](const FrameHeader& header, absl::string_view payload, bool) {
                     wire::Response response;
                     response.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
                     responses_[header.stream] = std::move(response);
                   });
    }
  }

  bool Answered(uint32_t stream) {
    Receive();
    return responses_.contains(stream);
  }

  absl::Status Answer(uint32_t stream, google::protobuf::MessageLite* message = nullptr,
                      absl::Duration within = absl::Seconds(20)) {
    if (!RunUntil(
            loop_, [&] { return Answered(stream) || closed_; }, within)) {
      return absl::DeadlineExceededError("the test waited in vain");
    }
    if (!responses_.contains(stream)) return absl::UnavailableError("closed");
    const wire::Response& response = responses_[stream];
    if (response.status().code() != 0) {
      return absl::Status(static_cast<absl::StatusCode>(response.status().code()),
                          response.status().message());
    }
    if (message != nullptr && !message->ParseFromString(response.payload())) {
      return absl::InternalError("the answer does not parse");
    }
    return absl::OkStatus();
  }

  absl::Status Call(absl::string_view service, absl::string_view method,
                    const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response = nullptr) {
    return Answer(Send(service, method, request), response);
  }

 private:
  Loop* const loop_;
  UniqueFd socket_;
  bool connected_ = false;
  bool closed_ = false;
  FrameParser parser_{64 << 20};
  uint32_t next_stream_ = 1;
  std::map<uint32_t, wire::Response> responses_;
};

// A listening socket at `path`.
inline UniqueFd ListenAt(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(socket.get(), 16) != 0) {
    return UniqueFd();
  }
  return socket;
}

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TTRPC_TEST_CLIENT_H_
