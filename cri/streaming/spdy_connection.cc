#include "cri/streaming/spdy_connection.h"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

using boost::system::error_code;

// Answers that a client does not read; then it is not read either.
constexpr size_t kMaxControlBytes = 64 << 10;
// How long a client may take to read the last bytes and leave.
constexpr auto kLinger = std::chrono::seconds(30);

absl::Status Gone() { return absl::UnavailableError("the connection is gone"); }

}  // namespace

SpdyConnection::SpdyConnection(std::shared_ptr<ByteTransport> transport,
                               absl::Duration idle_timeout)
    : transport_(std::move(transport)),
      parser_({.on_control = [this](SpdyControl control) { return OnControl(std::move(control)); },
               .on_data = [this](uint32_t id, absl::string_view data,
                                 bool fin) { return OnData(id, data, fin); }}),
      idle_(transport_->executor(), idle_timeout),
      linger_(transport_->executor()) {}

void SpdyConnection::Start(Handler handler) {
  self_ = shared_from_this();
  handler_ = std::move(handler);
  idle_.Start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Abort();
  });
  Read();
}

void SpdyConnection::Read() {
  if (gone_ || reading_) return;
  reading_ = true;
  transport_->AsyncRead(
      boost::asio::buffer(read_buffer_), [self = shared_from_this()](error_code error, size_t n) {
        self->reading_ = false;
        if (self->gone_) return;
        if (error) {
          self->Abort();
          return;
        }
        self->idle_.Touch();
        if (self->finishing_) {  // What is still under way to us ends here.
          self->Read();
          return;
        }
        const absl::Status status = self->parser_.Feed({self->read_buffer_.data(), n});
        if (!status.ok()) {
          LogDebug("a streaming client is cut off", {{"reason", status}});
          self->Abort();
          return;
        }
        if (!self->ShouldPause()) self->Read();
      });
}

bool SpdyConnection::ShouldPause() const {
  if (finishing_) return false;
  if (control_bytes_ > kMaxControlBytes) return true;
  for (const auto& [id, stream] : streams_) {
    if (stream->buffered() > ClientStream::kMaxBuffered) return true;
  }
  return false;
}

void SpdyConnection::ResumeIfRoom() {
  if (!gone_ && !reading_ && !ShouldPause()) Read();
}

absl::Status SpdyConnection::OnControl(SpdyControl control) {
  switch (control.type) {
    case SpdyType::kSynStream:
      return OnSynStream(control);
    case SpdyType::kPing:
      // Ours would have even ids, but we send none.
      if (control.stream_id % 2 == 1) SendControl(SpdyPing(control.stream_id));
      return absl::OkStatus();
    case SpdyType::kRstStream: {
      const auto it = streams_.find(control.stream_id);
      if (it == streams_.end()) return absl::OkStatus();
      const std::shared_ptr<Stream> stream = it->second;
      streams_.erase(it);
      stream->write_closed_ = true;
      stream->Fail(absl::UnavailableError("the client has reset the stream"));
      return absl::OkStatus();
    }
    case SpdyType::kHeaders: {
      // Nothing of interest, but the compression goes on behind it.
      return decoder_.Decode(control.header_block).status();
    }
    case SpdyType::kSynReply:
      return absl::InvalidArgumentError("SYN_REPLY for a stream that we did not open");
    case SpdyType::kGoAway:    // The client closes when its streams are done.
    case SpdyType::kSettings:  // Windows and rates: not in this dialect.
    case SpdyType::kWindowUpdate:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status SpdyConnection::OnSynStream(const SpdyControl& control) {
  CRISP_ASSIGN_OR_RETURN(const SpdyHeaders headers, decoder_.Decode(control.header_block));
  const uint32_t id = control.stream_id;
  if (id % 2 == 0 || id <= last_stream_) {
    SendControl(SpdyRstStream(id, SpdyReset::kProtocolError));
    return absl::OkStatus();
  }
  last_stream_ = id;
  if (streams_.size() >= kMaxStreams) {
    SendControl(SpdyRstStream(id, SpdyReset::kRefusedStream));
    return absl::OkStatus();
  }
  const auto stream = std::make_shared<Stream>(shared_from_this(), id);
  streams_[id] = stream;
  if (!handler_.on_stream || !handler_.on_stream(stream, headers)) {
    streams_.erase(id);
    SendControl(SpdyRstStream(id, SpdyReset::kProtocolError));
    return absl::OkStatus();
  }
  SendControl(SpdySynReply(id, encoder_.Encode({})));
  if ((control.flags & kSpdyFin) != 0) {
    stream->DeliverEnd();
    Forget(id);
  }
  return absl::OkStatus();
}

absl::Status SpdyConnection::OnData(uint32_t stream_id, absl::string_view data, bool fin) {
  const auto it = streams_.find(stream_id);
  if (it == streams_.end()) return absl::OkStatus();  // Reset while it was under way.
  const std::shared_ptr<Stream> stream = it->second;
  stream->Deliver(data);
  if (fin) {
    stream->DeliverEnd();
    Forget(stream_id);
  }
  return absl::OkStatus();
}

void SpdyConnection::Forget(uint32_t stream_id) {
  const auto it = streams_.find(stream_id);
  if (it != streams_.end() && it->second->ended() && it->second->write_closed_) {
    streams_.erase(it);
  }
}

void SpdyConnection::SendControl(std::string bytes) {
  control_bytes_ += bytes.size();
  Send({.bytes = std::move(bytes)});
}

void SpdyConnection::Send(Frame frame) {
  if (gone_) {
    if (frame.done) {
      boost::asio::post(transport_->executor(), [done = std::move(frame.done)] { done(Gone()); });
    }
    return;
  }
  frames_.push_back(std::move(frame));
  WriteNext();
}

void SpdyConnection::WriteNext() {
  if (write_under_way_ || frames_.empty() || gone_) return;
  write_under_way_ = true;
  writing_ = std::move(frames_.front());
  frames_.pop_front();
  if (!writing_.done) control_bytes_ -= writing_.bytes.size();
  transport_->AsyncWrite(std::move(writing_.bytes),
                         [self = shared_from_this()](error_code error) { self->OnWritten(error); });
}

void SpdyConnection::OnWritten(error_code error) {
  write_under_way_ = false;
  const ClientStream::WriteHandler done = std::exchange(writing_.done, nullptr);
  if (error || gone_) {
    Abort();
    if (done) done(Gone());
    return;
  }
  idle_.Touch();
  if (done) done(absl::OkStatus());
  WriteNext();
  ResumeIfRoom();
  if (finishing_ && !write_under_way_ && frames_.empty() && !gone_) transport_->ShutdownWrite();
}

void SpdyConnection::Finish() {
  if (gone_ || finishing_) return;
  SendControl(SpdyGoAway(last_stream_));
  finishing_ = true;
  linger_.expires_after(kLinger);
  linger_.async_wait([weak = weak_from_this()](error_code error) {
    if (error) return;
    if (const auto self = weak.lock()) self->Abort();
  });
  Read();
}

void SpdyConnection::Abort() {
  if (gone_) return;
  gone_ = true;
  const std::shared_ptr<SpdyConnection> self = std::move(self_);
  idle_.Stop();
  linger_.cancel();
  transport_->Close();
  auto streams = std::exchange(streams_, {});
  auto frames = std::exchange(frames_, {});
  Handler handler = std::exchange(handler_, {});
  for (const auto& [id, stream] : streams) stream->Fail(Gone());
  for (const Frame& frame : frames) {
    if (frame.done) frame.done(Gone());
  }
  if (handler.on_gone) handler.on_gone();
}

SpdyConnection::Stream::Stream(const std::shared_ptr<SpdyConnection>& connection, uint32_t id)
    : ClientStream(connection->transport_->executor(),
                   [weak = std::weak_ptr<SpdyConnection>(connection)] {
                     if (const auto self = weak.lock()) self->ResumeIfRoom();
                   }),
      connection_(connection),
      id_(id) {}

void SpdyConnection::Stream::AsyncWrite(std::string data, WriteHandler handler) {
  const std::shared_ptr<SpdyConnection> connection = connection_.lock();
  if (connection == nullptr || write_closed_) {
    boost::asio::post(executor(), [handler = std::move(handler)] { handler(Gone()); });
    return;
  }
  std::string frame = SpdyDataHeader(id_, data.size(), /*fin=*/false);
  frame += data;
  connection->Send({.bytes = std::move(frame), .done = std::move(handler)});
}

void SpdyConnection::Stream::CloseWrite() {
  if (std::exchange(write_closed_, true)) return;
  if (const auto connection = connection_.lock()) {
    connection->SendControl(SpdyDataHeader(id_, 0, /*fin=*/true));
    connection->Forget(id_);
  }
}

void SpdyConnection::Stream::Reset() {
  write_closed_ = true;
  Fail(absl::UnavailableError("the stream is reset"));
  if (const auto connection = connection_.lock()) {
    if (connection->streams_.erase(id_) > 0) {
      connection->SendControl(SpdyRstStream(id_, SpdyReset::kCancel));
    }
  }
}

}  // namespace crisp::cri
