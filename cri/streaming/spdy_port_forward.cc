#include "cri/streaming/spdy_port_forward.h"

#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cri/streaming/forwarding.h"
#include "cri/streaming/spdy_connection.h"

namespace crisp::cri {
namespace {

using SpdyStream = std::shared_ptr<SpdyConnection::Stream>;

// 0 if it is no port.
uint16_t Port(const SpdyHeaders& headers) {
  const auto it = headers.find("port");
  uint32_t port = 0;
  if (it == headers.end() || !absl::SimpleAtoi(it->second, &port) || port > UINT16_MAX) return 0;
  return static_cast<uint16_t>(port);
}

class SpdyPortForward : public std::enable_shared_from_this<SpdyPortForward> {
 public:
  SpdyPortForward(const StreamContext& context, StreamRequest request)
      : context_(context), request_(std::move(request)) {}

  void Start(const std::shared_ptr<SpdyConnection>& connection, std::function<void()> on_gone) {
    connection->Start({
        .on_stream = [self = shared_from_this()](
                         const SpdyStream& stream,
                         const SpdyHeaders& headers) { return self->OnStream(stream, headers); },
        .on_gone =
            [self = shared_from_this(), on_gone = std::move(on_gone)] {
              for (const auto& [id, forwarding] : std::exchange(self->running_, {})) {
                forwarding->Abort();
              }
              self->pairs_.clear();
              on_gone();
            },
    });
  }

 private:
  // Two streams that ask for one connection.
  struct Pair {
    explicit Pair(const boost::asio::any_io_executor& executor) : creation(executor) {}
    uint16_t port = 0;
    SpdyStream data, error;
    boost::asio::steady_timer creation;
  };

  bool OnStream(const SpdyStream& stream, const SpdyHeaders& headers) {
    const uint16_t port = Port(headers);
    const auto type = headers.find("streamtype");
    if (port == 0 || type == headers.end()) return false;
    const bool is_error = type->second == "error";
    if (!is_error && type->second != "data") return false;
    const std::string id = RequestId(headers, stream->id(), is_error);
    auto it = pairs_.find(id);
    if (it == pairs_.end()) {
      it = pairs_.emplace(id, std::make_unique<Pair>(context_.executor)).first;
      it->second->port = port;
      Await(id, it->second.get());
    }
    Pair& pair = *it->second;
    SpdyStream& slot = is_error ? pair.error : pair.data;
    if (slot != nullptr || pair.port != port) return false;
    slot = stream;
    if (pair.data == nullptr || pair.error == nullptr) return true;
    Run(pair.port, pair.data, pair.error);
    pairs_.erase(it);
    return true;
  }

  // Old clients name no request; their data stream comes right behind its error stream.
  static std::string RequestId(const SpdyHeaders& headers, uint32_t stream_id, bool is_error) {
    const auto it = headers.find("requestid");
    if (it != headers.end()) return it->second;
    return absl::StrCat("stream ", is_error ? stream_id : stream_id - 2);
  }

  void Await(const std::string& id, Pair* pair) {
    pair->creation.expires_after(absl::ToChronoNanoseconds(context_.creation_timeout));
    pair->creation.async_wait([weak = weak_from_this(), id](boost::system::error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr) return;
      const auto it = self->pairs_.find(id);
      if (it == self->pairs_.end()) return;
      const std::unique_ptr<Pair> late = std::move(it->second);
      self->pairs_.erase(it);
      if (late->data != nullptr) late->data->Reset();
      if (late->error == nullptr) return;
      late->error->AsyncWrite(absl::StrCat("no data stream came for request ", id),
                              [stream = late->error](const absl::Status&) { stream->Reset(); });
    });
  }

  void Run(uint16_t port, const SpdyStream& data, const SpdyStream& error) {
    const uint32_t key = data->id();
    const auto forwarding =
        std::make_shared<Forwarding>(context_, port, data, error, [weak = weak_from_this(), key] {
          if (const auto self = weak.lock()) self->running_.erase(key);
        });
    running_[key] = forwarding;
    forwarding->Start(request_.netns_path);
  }

  const StreamContext context_;
  const StreamRequest request_;
  std::map<std::string, std::unique_ptr<Pair>> pairs_;  // Those that are not complete.
  std::map<uint32_t, std::shared_ptr<Forwarding>> running_;
};

}  // namespace

std::function<void()> ServeSpdyPortForward(const StreamContext& context,
                                           std::shared_ptr<ByteTransport> transport,
                                           StreamRequest request, std::function<void()> on_gone) {
  const auto connection =
      std::make_shared<SpdyConnection>(std::move(transport), context.idle_timeout);
  std::make_shared<SpdyPortForward>(context, std::move(request))
      ->Start(connection, std::move(on_gone));
  return [weak = std::weak_ptr<SpdyConnection>(connection)] {
    if (const auto open = weak.lock()) open->Abort();
  };
}

}  // namespace crisp::cri
