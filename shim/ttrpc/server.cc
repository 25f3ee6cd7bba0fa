#include "shim/ttrpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "shim/ttrpc/connection.h"
#include "shim/ttrpc/frame.h"

namespace crisp::shim {
namespace {

// The socket's mode keeps others out; this holds also where a descriptor was passed on.
bool IsOurUser(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

wire::Response ErrorResponse(const absl::Status& status) {
  wire::Response response;
  response.mutable_status()->set_code(static_cast<int>(status.code()));
  // It may quote a hook's words, or end within a character: a client would take the whole
  // answer for broken.
  response.mutable_status()->set_message(ToUtf8(status.message()));
  return response;
}

}  // namespace

Reply::Reply(Reply&& other) noexcept
    : server_(std::exchange(other.server_, nullptr)),
      connection_(other.connection_),
      stream_(other.stream_),
      long_(other.long_) {}

Reply::~Reply() {
  if (server_ != nullptr) Send(ErrorResponse(absl::InternalError("the request was dropped")));
}

void Reply::Ok(const google::protobuf::MessageLite& response) && {
  wire::Response out;
  response.SerializeToString(out.mutable_payload());
  if (!long_ && out.payload().size() > kMaxFramePayload - 64) {
    return std::move(*this).Error(absl::ResourceExhaustedError(
        absl::StrCat("the answer has ", out.payload().size(), " bytes")));
  }
  Send(out);
}

void Reply::Error(const absl::Status& status) && { Send(ErrorResponse(status)); }

void Reply::Send(const wire::Response& response) {
  TtrpcServer* const server = std::exchange(server_, nullptr);
  const auto found = server->connections_.find(connection_);
  if (found == server->connections_.end()) return;
  found->second->Send(stream_, response.SerializeAsString());
}

TtrpcServer::TtrpcServer(Loop* loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}

TtrpcServer::~TtrpcServer() { loop_->Unwatch(watch_); }

absl::Status TtrpcServer::Serve(UniqueFd listener) {
  listener_ = std::move(listener);
  CRISP_ASSIGN_OR_RETURN(watch_,
                         loop_->Watch(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); }));
  return absl::OkStatus();
}

bool TtrpcServer::flushed() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& entry) { return entry.second->flushed(); });
}

void TtrpcServer::Accept() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.ok() || !IsOurUser(socket.get())) return;
  const uint64_t id = next_connection_++;
  auto connection = std::make_unique<Connection>(this, id, std::move(socket));
  if (connection->Start().ok()) connections_[id] = std::move(connection);
}

void TtrpcServer::Close(uint64_t connection) { connections_.erase(connection); }

}  // namespace crisp::shim
