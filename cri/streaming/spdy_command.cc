#include "cri/streaming/spdy_command.h"

#include <boost/asio/steady_timer.hpp>
#include <string>
#include <utility>

#include "base/log.h"
#include "cri/streaming/command_session.h"
#include "cri/streaming/spdy_connection.h"

namespace crisp::cri {
namespace {

class SpdyCommand : public std::enable_shared_from_this<SpdyCommand> {
 public:
  SpdyCommand(const StreamContext& context, StreamRequest request, const SpdyProtocol& protocol)
      : context_(context),
        request_(std::move(request)),
        protocol_(protocol),
        creation_(context.executor) {}

  void Start(const std::shared_ptr<SpdyConnection>& connection, std::function<void()> on_gone) {
    connection_ = connection;
    creation_.expires_after(absl::ToChronoNanoseconds(context_.creation_timeout));
    creation_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr || self->session_ != nullptr) return;
      LogDebug("a client did not open its streams in time", {{"id", self->request_.id}});
      if (const auto open = self->connection_.lock()) open->Abort();
    });
    connection->Start({
        .on_stream = [self = shared_from_this()](
                         const std::shared_ptr<SpdyConnection::Stream>& stream,
                         const SpdyHeaders& headers) { return self->OnStream(stream, headers); },
        .on_gone =
            [self = shared_from_this(), on_gone = std::move(on_gone)] {
              self->creation_.cancel();
              if (self->session_ != nullptr) self->session_->Abort();
              on_gone();
            },
    });
  }

 private:
  bool OnStream(const std::shared_ptr<SpdyConnection::Stream>& stream, const SpdyHeaders& headers) {
    const auto type = headers.find("streamtype");
    if (session_ != nullptr || type == headers.end()) return false;
    std::shared_ptr<ClientStream>* const slot = Slot(type->second);
    if (slot == nullptr || *slot != nullptr) return false;
    *slot = stream;
    if (!Complete()) return true;
    creation_.cancel();
    session_ = std::make_shared<CommandSession>(context_, std::move(request_), std::move(streams_),
                                                protocol_.status_json, [connection = connection_] {
                                                  if (const auto open = connection.lock())
                                                    open->Finish();
                                                });
    session_->Start();
    return true;
  }

  bool wants_resize() const { return request_.streams.terminal && protocol_.resize; }

  // Where a stream of this type goes; null for one that was not asked for.
  std::shared_ptr<ClientStream>* Slot(const std::string& type) {
    if (type == "error") return &streams_.error;
    if (type == "stdin" && request_.streams.stdin) return &streams_.stdin;
    if (type == "stdout" && request_.streams.stdout) return &streams_.stdout;
    if (type == "stderr" && request_.streams.stderr) return &streams_.stderr;
    if (type == "resize" && wants_resize()) return &streams_.resize;
    return nullptr;
  }

  bool Complete() const {
    return streams_.error != nullptr && (streams_.stdin != nullptr || !request_.streams.stdin) &&
           (streams_.stdout != nullptr || !request_.streams.stdout) &&
           (streams_.stderr != nullptr || !request_.streams.stderr) &&
           (streams_.resize != nullptr || !wants_resize());
  }

  const StreamContext context_;
  StreamRequest request_;
  const SpdyProtocol protocol_;
  boost::asio::steady_timer creation_;
  std::weak_ptr<SpdyConnection> connection_;
  CommandStreams streams_;
  std::shared_ptr<CommandSession> session_;
};

}  // namespace

std::function<void()> ServeSpdyCommand(const StreamContext& context,
                                       std::shared_ptr<ByteTransport> transport,
                                       StreamRequest request, const SpdyProtocol& protocol,
                                       std::function<void()> on_gone) {
  const auto connection =
      std::make_shared<SpdyConnection>(std::move(transport), context.idle_timeout);
  const auto command = std::make_shared<SpdyCommand>(context, std::move(request), protocol);
  command->Start(connection, std::move(on_gone));
  return [weak = std::weak_ptr<SpdyConnection>(connection)] {
    if (const auto open = weak.lock()) open->Abort();
  };
}

}  // namespace crisp::cri
