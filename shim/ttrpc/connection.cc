#include "shim/ttrpc/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/status_macros.h"

namespace crisp::shim {
namespace {

// A peer that asks and does not read the answers is cut off.
constexpr size_t kMaxUnsent = 128 << 20;

}  // namespace

Connection::Connection(TtrpcServer* server, uint64_t id, UniqueFd socket)
    : server_(server), id_(id), socket_(std::move(socket)) {}

Connection::~Connection() { server_->loop_->Unwatch(watch_); }

absl::Status Connection::Start() {
  CRISP_ASSIGN_OR_RETURN(
      watch_,
      server_->loop_->Watch(socket_.get(), EPOLLIN, [this](uint32_t events) { OnEvents(events); }));
  return absl::OkStatus();
}

void Connection::OnEvents(uint32_t events) {
  bool alive = !broken_;
  if (alive && (events & EPOLLOUT) != 0) alive = Write();
  if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) alive = Read();
  if (!alive || broken_) server_->Close(id_);  // Destroys this.
}

bool Connection::Read() {
  const absl::Span<char> buffer = server_->loop_->scratch();
  const ssize_t n = ::read(socket_.get(), buffer.data(), buffer.size());
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  // A handler may use the scratch buffer, too: what it is given must not lie there.
  const std::string bytes(buffer.data(), static_cast<size_t>(n));
  parser_.Feed(bytes, [this](const FrameHeader& header, absl::string_view payload, bool fits) {
    OnFrame(header, payload, fits);
  });
  return true;
}

void Connection::OnFrame(const FrameHeader& header, absl::string_view payload, bool fits) {
  if (header.type != static_cast<uint8_t>(FrameType::kRequest)) {
    // We never open a stream: data belongs to none. Responses are not ours to take.
    if (header.type == static_cast<uint8_t>(FrameType::kData)) {
      Refuse(header.stream, absl::InvalidArgumentError("stream is not open"));
    }
    return;
  }
  if (header.stream % 2 == 0) {
    return Refuse(header.stream, absl::InvalidArgumentError("stream id must be odd"));
  }
  if (header.stream <= last_stream_) {
    return Refuse(header.stream, absl::InvalidArgumentError("stream id was used before"));
  }
  last_stream_ = header.stream;
  if (!fits) {
    return Refuse(header.stream, absl::ResourceExhaustedError(
                                     absl::StrCat("message of ", header.length, " bytes; at most ",
                                                  kMaxFramePayload, " are accepted")));
  }
  wire::Request request;
  if (!request.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return Refuse(header.stream, absl::InvalidArgumentError("request does not parse"));
  }
  if ((header.flags & kFlagRemoteOpen) != 0) {
    return Refuse(header.stream, absl::UnimplementedError("streaming is not supported"));
  }
  server_->handler_(request.service(), request.method(), request.payload(),
                    Reply(server_, id_, header.stream));
}

void Connection::Refuse(uint32_t stream, const absl::Status& status) {
  Reply(server_, id_, stream).Error(status);
}

void Connection::Send(uint32_t stream, absl::string_view payload) {
  if (broken_) return;
  AppendFrame(&out_, stream, FrameType::kResponse, payload);
  if (!waiting_to_write_ && !Write()) broken_ = true;
  if (out_.size() - sent_ > kMaxUnsent) broken_ = true;
  // Destroyed from the loop, not under the feet of who is sending.
  if (broken_) {
    server_->loop_->Post([server = server_, id = id_] { server->Close(id); });
  }
}

bool Connection::Write() {
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      if (!waiting_to_write_) {
        waiting_to_write_ = true;
        (void)server_->loop_->Rewatch(watch_, EPOLLIN | EPOLLOUT);
      }
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  std::string().swap(out_);
  sent_ = 0;
  if (waiting_to_write_) {
    waiting_to_write_ = false;
    (void)server_->loop_->Rewatch(watch_, EPOLLIN);
  }
  return true;
}

}  // namespace crisp::shim
