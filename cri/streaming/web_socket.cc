#include "cri/streaming/web_socket.h"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cri/streaming/channel_codec.h"
#include "cri/streaming/idle_timer.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

constexpr auto kLinger = std::chrono::seconds(30);
// Clients drop a connection that does not answer their pings within a minute. While it
// is not read for a slow process's sake, they are told unasked that it is alive.
constexpr auto kPongWhilePaused = std::chrono::seconds(20);

using Socket = websocket::stream<ClientSocket, /*deflateSupported=*/false>;

absl::Status Gone() { return absl::UnavailableError("the connection is gone"); }

void Configure(Socket* socket, const WebSocketProtocol& protocol) {
  socket->set_option(
      websocket::stream_base::decorator([name = protocol.name](websocket::response_type& response) {
        if (!name.empty()) response.set(http::field::sec_websocket_protocol, name);
      }));
  socket->read_message_max(0);  // Messages are read in pieces, whatever their size.
  socket->auto_fragment(false);
  if (protocol.base64) {
    socket->text(true);
  } else {
    socket->binary(true);
  }
}

class Channels;

class Channel : public ClientStream {
 public:
  Channel(const std::shared_ptr<Channels>& owner, uint8_t number);

  void AsyncWrite(std::string data, WriteHandler handler) override;
  void CloseWrite() override;
  // The protocol has no word for this from our side.
  void Reset() override { Fail(absl::UnavailableError("the channel is closed")); }

 private:
  friend class Channels;

  const std::weak_ptr<Channels> owner_;
  const uint8_t number_;
  bool closed_ = false;  // And the client was told.
};

class Channels : public WebSocketChannels, public std::enable_shared_from_this<Channels> {
 public:
  Channels(const StreamContext& context, std::unique_ptr<HttpUpgrade> upgrade,
           const WebSocketProtocol& protocol)
      : executor_(context.executor),
        protocol_(protocol),
        request_(std::move(upgrade->request)),
        socket_(std::move(upgrade->socket)),
        decoder_(protocol, {.on_data = [this](uint8_t number,
                                              absl::string_view data) { OnData(number, data); },
                            .on_close = [this](uint8_t number) { OnClose(number); }}),
        idle_(executor_, context.idle_timeout),
        linger_(executor_),
        pong_(executor_) {
    Configure(&socket_, protocol);
  }

  std::shared_ptr<ClientStream> AddChannel(uint8_t number) override {
    const auto channel = std::make_shared<Channel>(shared_from_this(), number);
    channels_[number] = channel;
    return channel;
  }

  void Start(std::function<void()> on_open, std::function<void()> on_gone) override {
    self_ = shared_from_this();
    on_gone_ = std::move(on_gone);
    idle_.Start([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Abort();
    });
    socket_.control_callback(
        [this](websocket::frame_type, boost::beast::string_view) { idle_.Touch(); });
    socket_.async_accept(
        request_, [self = shared_from_this(), on_open = std::move(on_open)](error_code error) {
          if (self->gone_) return;
          if (error) {
            self->Abort();
            return;
          }
          on_open();
          self->Read();
        });
  }

  void Finish() override {
    if (gone_ || finishing_) return;
    finishing_ = true;
    linger_.expires_after(kLinger);
    linger_.async_wait([weak = weak_from_this()](error_code error) {
      if (error) return;
      if (const auto self = weak.lock()) self->Abort();
    });
    Read();
    CloseIfWritten();
  }

  void Abort() override {
    if (std::exchange(gone_, true)) return;
    const std::shared_ptr<Channels> self = std::move(self_);
    idle_.Stop();
    linger_.cancel();
    pong_.cancel();
    socket_.next_layer().Close();
    for (const auto& [number, channel] : std::exchange(channels_, {})) channel->Fail(Gone());
    for (const Message& message : std::exchange(messages_, {})) message.done(Gone());
    if (on_gone_) std::exchange(on_gone_, nullptr)();
  }

  void Write(uint8_t number, absl::string_view data, ClientStream::WriteHandler done) {
    if (gone_) {
      asio::post(executor_, [done = std::move(done)] { done(Gone()); });
      return;
    }
    messages_.push_back({ChannelMessage(protocol_, number, data), std::move(done)});
    WriteNext();
  }

  // Our side of the channel has ended, where the protocol has a word for it.
  void TellClosed(uint8_t number) {
    if (gone_ || !protocol_.tells_close) return;
    messages_.push_back({CloseMessage(number), [](const absl::Status&) {}});
    WriteNext();
  }

  void ResumeIfRoom() {
    if (!gone_ && !reading_ && !ShouldPause()) Read();
  }

  const asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Message {
    std::string bytes;
    ClientStream::WriteHandler done;
  };

  void Read() {
    if (gone_ || reading_) return;
    reading_ = true;
    pong_.cancel();
    socket_.async_read_some(
        asio::buffer(read_buffer_), [self = shared_from_this()](error_code error, size_t n) {
          self->reading_ = false;
          if (self->gone_) return;
          if (error) {  // A close of the client's is one.
            self->Abort();
            return;
          }
          self->idle_.Touch();
          if (!self->finishing_) {
            const absl::Status status = self->decoder_.Feed({self->read_buffer_.data(), n},
                                                            self->socket_.is_message_done());
            if (!status.ok()) {
              LogDebug("a streaming client is cut off", {{"reason", status}});
              self->Abort();
            }
            if (self->gone_) return;
          }
          if (self->ShouldPause()) {
            self->PongWhilePaused();
          } else {
            self->Read();
          }
        });
  }

  bool ShouldPause() const {
    if (finishing_) return false;
    for (const auto& [number, channel] : channels_) {
      if (channel->buffered() > ClientStream::kMaxBuffered) return true;
    }
    return false;
  }

  void PongWhilePaused() {
    pong_.expires_after(kPongWhilePaused);
    pong_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr || self->gone_ || self->reading_) return;
      self->socket_.async_pong({}, [self](error_code failed) {
        if (!failed && !self->gone_ && !self->reading_) self->PongWhilePaused();
      });
    });
  }

  void OnData(uint8_t number, absl::string_view data) {
    const auto it = channels_.find(number);
    if (it == channels_.end()) return;
    const std::shared_ptr<Channel> channel = it->second;
    channel->Deliver(data);
  }

  void OnClose(uint8_t number) {
    const auto it = channels_.find(number);
    if (it == channels_.end()) return;
    const std::shared_ptr<Channel> channel = it->second;
    channel->DeliverEnd();
  }

  void WriteNext() {
    if (writing_ || messages_.empty() || gone_) return;
    writing_ = true;
    message_ = std::move(messages_.front());
    messages_.pop_front();
    socket_.async_write(asio::buffer(message_.bytes),
                        [self = shared_from_this()](error_code error, size_t) {
                          self->writing_ = false;
                          const auto done = std::exchange(self->message_.done, nullptr);
                          if (error || self->gone_) {
                            self->Abort();
                            done(Gone());
                            return;
                          }
                          self->idle_.Touch();
                          done(absl::OkStatus());
                          self->WriteNext();
                          self->CloseIfWritten();
                        });
  }

  void CloseIfWritten() {
    if (!finishing_ || closing_ || writing_ || !messages_.empty() || gone_) return;
    closing_ = true;
    socket_.async_close(websocket::close_code::normal,
                        [self = shared_from_this()](error_code) { self->Abort(); });
  }

  std::shared_ptr<Channels> self_;  // From Start until gone_.
  const asio::any_io_executor executor_;
  const WebSocketProtocol protocol_;
  const http::request<http::empty_body> request_;
  Socket socket_;
  ChannelDecoder decoder_;
  IdleTimer idle_;
  asio::steady_timer linger_;
  asio::steady_timer pong_;
  std::function<void()> on_gone_;
  std::map<uint8_t, std::shared_ptr<Channel>> channels_;
  std::array<char, 32 << 10> read_buffer_;
  std::deque<Message> messages_;
  Message message_;
  bool reading_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  bool closing_ = false;
  bool gone_ = false;
};

Channel::Channel(const std::shared_ptr<Channels>& owner, uint8_t number)
    : ClientStream(owner->executor(),
                   [weak = std::weak_ptr<Channels>(owner)] {
                     if (const auto self = weak.lock()) self->ResumeIfRoom();
                   }),
      owner_(owner),
      number_(number) {}

void Channel::AsyncWrite(std::string data, WriteHandler handler) {
  if (const auto owner = owner_.lock()) {
    owner->Write(number_, data, std::move(handler));
  } else {
    asio::post(executor(), [handler = std::move(handler)] { handler(Gone()); });
  }
}

void Channel::CloseWrite() {
  if (std::exchange(closed_, true)) return;
  if (const auto owner = owner_.lock()) owner->TellClosed(number_);
}

class Tunnel : public ByteTransport, public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(std::unique_ptr<HttpUpgrade> upgrade, const WebSocketProtocol& protocol)
      : request_(std::move(upgrade->request)), socket_(std::move(upgrade->socket)) {
    Configure(&socket_, protocol);
  }

  void Start() {
    socket_.async_accept(request_, [self = shared_from_this()](error_code error) {
      self->accepted_ = true;
      self->accept_error_ = error;
      for (const auto& call : std::exchange(self->waiting_, {})) call();
    });
  }

  asio::any_io_executor executor() override { return socket_.get_executor(); }

  void AsyncRead(asio::mutable_buffer buffer, ReadHandler handler) override {
    if (!accepted_) {
      waiting_.push_back([this, buffer, handler] { AsyncRead(buffer, handler); });
    } else if (accept_error_) {
      asio::post(executor(), [handler, error = accept_error_] { handler(error, 0); });
    } else {
      socket_.async_read_some(buffer, [self = shared_from_this(), handler](
                                          error_code error, size_t n) { handler(error, n); });
    }
  }

  void AsyncWrite(std::string bytes, WriteHandler handler) override {
    if (!accepted_) {
      waiting_.push_back([this, bytes, handler] { AsyncWrite(bytes, handler); });
    } else if (accept_error_) {
      asio::post(executor(), [handler, error = accept_error_] { handler(error); });
    } else {
      bytes_ = std::move(bytes);
      socket_.async_write(asio::buffer(bytes_), [self = shared_from_this(), handler](
                                                    error_code error, size_t) { handler(error); });
    }
  }

  void ShutdownWrite() override {
    socket_.async_close(websocket::close_code::normal, [self = shared_from_this()](error_code) {});
  }

  void Close() override { socket_.next_layer().Close(); }

 private:
  const http::request<http::empty_body> request_;
  Socket socket_;
  std::string bytes_;
  bool accepted_ = false;
  error_code accept_error_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace

std::shared_ptr<WebSocketChannels> MakeWebSocketChannels(const StreamContext& context,
                                                         std::unique_ptr<HttpUpgrade> upgrade,
                                                         const WebSocketProtocol& protocol) {
  return std::make_shared<Channels>(context, std::move(upgrade), protocol);
}

std::shared_ptr<ByteTransport> MakeWebSocketTunnel(std::unique_ptr<HttpUpgrade> upgrade,
                                                   const WebSocketProtocol& protocol) {
  const auto tunnel = std::make_shared<Tunnel>(std::move(upgrade), protocol);
  tunnel->Start();
  return tunnel;
}

}  // namespace crisp::cri
