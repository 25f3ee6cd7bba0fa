#include "shim/ttrpc/event_publisher.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/time/clock.h"
#include "api/shim/wire/events.pb.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/unix_socket.h"

namespace crisp::shim {
namespace {

constexpr char kService[] = "containerd.services.events.ttrpc.v1.Events";
constexpr char kMethod[] = "Forward";
constexpr char kNamespaceKey[] = "containerd-namespace-ttrpc";
constexpr absl::Duration kAnswerWithin = absl::Seconds(5);
constexpr absl::Duration kMaxPause = absl::Seconds(5);
constexpr int kMaxRefusals = 5;

}  // namespace

EventPublisher::~EventPublisher() {
  loop_->Cancel(timer_);
  Disconnect();
}

void EventPublisher::Publish(absl::string_view topic, absl::string_view type,
                             const google::protobuf::MessageLite& event) {
  if (address_.empty()) return;
  const absl::Time now = absl::Now();
  wire::ForwardRequest forward;
  wire::Envelope* const envelope = forward.mutable_envelope();
  envelope->mutable_timestamp()->set_seconds(absl::ToUnixSeconds(now));
  envelope->mutable_timestamp()->set_nanos(
      static_cast<int32_t>(absl::ToUnixNanos(now) % 1'000'000'000));
  envelope->set_namespace_(namespace_);
  envelope->set_topic(std::string(topic));
  envelope->mutable_event()->set_type_url(std::string(type));
  envelope->mutable_event()->set_value(event.SerializeAsString());

  wire::Request request;
  request.set_service(kService);
  request.set_method(kMethod);
  request.set_timeout_nano(absl::ToInt64Nanoseconds(kAnswerWithin));
  wire::KeyValue* const metadata = request.add_metadata();
  metadata->set_key(kNamespaceKey);
  metadata->set_value(namespace_);
  request.set_payload(forward.SerializeAsString());
  queue_.push_back({request.SerializeAsString()});
  if (queue_.size() > kMaxQueued) {
    // The one under way stays at the head: its answer is still to come.
    queue_.erase(in_flight_ ? queue_.begin() + 1 : queue_.begin());
  }
  SendNext();
}

void EventPublisher::SendNext() {
  if (in_flight_ || waiting_ || queue_.empty()) return;
  if (!socket_.ok() && !Connect()) return RetryLater();
  in_flight_ = true;
  AppendFrame(&out_, next_stream_, FrameType::kRequest, queue_.front().request);
  next_stream_ += 2;
  timer_ = loop_->After(kAnswerWithin, [this] {
    Disconnect();
    RetryLater();
  });
  Write();
}

bool EventPublisher::Connect() {
  absl::StatusOr<UniqueFd> socket = ConnectUnix(address_, SOCK_NONBLOCK);
  if (!socket.ok()) return false;
  auto watch = loop_->Watch(socket->get(), EPOLLIN, [this](uint32_t events) { OnEvents(events); });
  if (!watch.ok()) return false;
  socket_ = *std::move(socket);
  watch_ = *watch;
  parser_ = FrameParser(kMaxFramePayload);
  next_stream_ = 1;
  return true;
}

void EventPublisher::Disconnect() {
  loop_->Unwatch(watch_);
  watch_ = 0;
  socket_.reset();
  std::string().swap(out_);
  in_flight_ = false;
}

void EventPublisher::RetryLater() {
  loop_->Cancel(timer_);
  // A connection that broke may be an old one: the first retry is at once.
  const absl::Duration pause =
      failures_ == 0 ? absl::ZeroDuration()
                     : std::min(absl::Milliseconds(50) * (1 << std::min(failures_, 10)), kMaxPause);
  ++failures_;
  waiting_ = true;
  timer_ = loop_->After(pause, [this] {
    waiting_ = false;
    SendNext();
  });
}

void EventPublisher::OnEvents(uint32_t events) {
  if ((events & EPOLLOUT) != 0) Write();
  if (!socket_.ok() || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const absl::Span<char> buffer = loop_->scratch();
  const ssize_t n = ::read(socket_.get(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    // An idle connection may end without anybody noticing.
    const bool was_in_flight = in_flight_;
    Disconnect();
    if (was_in_flight) RetryLater();
    return;
  }
  const std::string bytes(buffer.data(), static_cast<size_t>(n));
  parser_.Feed(bytes, [this](const FrameHeader& header, absl::string_view payload, bool fits) {
    if (header.type == static_cast<uint8_t>(FrameType::kResponse) && fits && in_flight_ &&
        header.stream + 2 == next_stream_) {
      OnResponse(payload);
    }
  });
}

void EventPublisher::OnResponse(absl::string_view payload) {
  loop_->Cancel(timer_);
  in_flight_ = false;
  wire::Response response;
  const bool accepted = response.ParseFromArray(payload.data(), static_cast<int>(payload.size())) &&
                        response.status().code() == 0;
  if (!accepted && ++queue_.front().refusals < kMaxRefusals) return RetryLater();
  failures_ = 0;
  queue_.pop_front();
  // Not from here: the parser is at work.
  if (!queue_.empty()) {
    loop_->Post([this] { SendNext(); });
  } else {
    std::deque<Queued>().swap(queue_);
  }
}

void EventPublisher::Write() {
  while (!out_.empty()) {
    const ssize_t n = ::send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      out_.erase(0, static_cast<size_t>(n));
      if (out_.empty()) (void)loop_->Rewatch(watch_, EPOLLIN);
    } else if (errno == EAGAIN) {
      (void)loop_->Rewatch(watch_, EPOLLIN | EPOLLOUT);
      return;
    } else if (errno != EINTR) {
      Disconnect();
      return RetryLater();
    }
  }
}

}  // namespace crisp::shim
