#include "shim/client/shim_client.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "shim/ttrpc/frame.h"

namespace crisp::shim {
namespace {

// The output of a command, 16 MiB of each stream, comes in one answer.
constexpr size_t kMaxAnswerBytes = 40 << 20;
// What may wait for a shim that reads nothing.
constexpr size_t kMaxUnsentBytes = 64 << 20;
constexpr size_t kReadBytes = 64 << 10;

absl::Status LostError() { return absl::UnavailableError("the shim is gone"); }

absl::StatusOr<UniqueFd> Dial(const std::string& directory) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(directory));
  // By the directory's descriptor: its path may be longer than a socket's can be.
  return Annotate(ConnectUnix(absl::StrCat("/proc/self/fd/", dir.get(), "/socket"), SOCK_NONBLOCK),
                  directory);
}

}  // namespace

// Kept alive by the client and by what the loop still has of it.
class ShimClient::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(IoLoop* loop, UniqueFd socket, OnLost on_lost)
      : loop_(loop), socket_(std::move(socket)), on_lost_(std::move(on_lost)) {}

  absl::Status Start() {
    CRISP_ASSIGN_OR_RETURN(const uint64_t watch,
                           loop_->Watch(socket_.get(), [self = shared_from_this()](uint64_t id) {
                             self->OnReadable(id);
                           }));
    absl::MutexLock lock(&mu_);
    watch_ = watch;
    return absl::OkStatus();
  }

  // From the destructor of the client: nobody hears of anything from here on.
  void Close() {
    std::map<uint32_t, Done> forgotten;  // What they hold dies after the lock.
    uint64_t watch, write_watch;
    {
      absl::MutexLock lock(&mu_);
      closed_ = silent_ = true;
      forgotten.swap(pending_);
      watch = watch_;
      write_watch = write_watch_;
    }
    loop_->Unwatch(watch);
    if (write_watch != 0) loop_->Unwatch(write_watch);
  }

  // The stream's id, with which Forget takes the call back; 0 if `done` has been or
  // is about to be called with the error.
  uint32_t Send(absl::string_view service, absl::string_view method, const std::string& payload,
                absl::Duration timeout, Done done) {
    wire::Request request;
    request.set_service(std::string(service));
    request.set_method(std::string(method));
    request.set_payload(payload);
    if (timeout != absl::InfiniteDuration()) {
      request.set_timeout_nano(absl::ToInt64Nanoseconds(timeout));
    }
    const std::string bytes = request.SerializeAsString();
    absl::Status refused;
    {
      absl::MutexLock lock(&mu_);
      if (closed_) {
        refused = LostError();
      } else if (out_.size() + bytes.size() > kMaxUnsentBytes) {
        refused = absl::UnavailableError("the shim takes no more requests");
      } else {
        const uint32_t stream = next_stream_;
        next_stream_ += 2;
        pending_.emplace(stream, std::move(done));
        AppendFrame(&out_, stream, FrameType::kRequest, bytes);
        Flush();
        return stream;
      }
    }
    loop_->Post([refused, done = std::move(done)] { done(refused, ""); });
    return 0;
  }

  // False if it is answered: its callback has run or is about to.
  bool Forget(uint32_t stream) {
    Done forgotten;
    absl::MutexLock lock(&mu_);
    const auto found = pending_.find(stream);
    if (found == pending_.end()) return false;
    forgotten = std::move(found->second);
    pending_.erase(found);
    return true;
  }

  void Expire(uint32_t stream) {
    if (Done done = Take(stream)) {
      done(absl::DeadlineExceededError("the shim did not answer in time"), "");
    }
  }

  bool closed() {
    absl::MutexLock lock(&mu_);
    return closed_;
  }

  IoLoop* loop() { return loop_; }

 private:
  Done Take(uint32_t stream) {
    absl::MutexLock lock(&mu_);
    const auto found = pending_.find(stream);
    if (found == pending_.end()) return nullptr;
    Done done = std::move(found->second);
    pending_.erase(found);
    return done;
  }

  // Writes what the socket takes; the loop goes on with the rest.
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    size_t sent = 0;
    bool full = false;
    while (sent < out_.size()) {
      const ssize_t n = ::send(socket_.get(), out_.data() + sent, out_.size() - sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) {
        sent += static_cast<size_t>(n);
      } else if (errno != EINTR) {
        // Any other error ends the connection, which the reader is about to see.
        full = errno == EAGAIN;
        if (!full) sent = out_.size();
        break;
      }
    }
    out_.erase(0, sent);
    if (out_.empty()) out_.shrink_to_fit();
    if (!full || write_watch_ != 0) return;
    write_fd_.reset(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
    const auto watch = loop_->Watch(
        write_fd_.get(), [self = shared_from_this()](uint64_t id) { self->OnWritable(id); },
        EPOLLOUT);
    if (watch.ok()) write_watch_ = *watch;
  }

  void OnWritable(uint64_t id) {
    bool done;
    {
      absl::MutexLock lock(&mu_);
      Flush();
      done = out_.empty() || closed_;
      if (done) write_watch_ = 0;
    }
    if (done) loop_->Unwatch(id);
  }

  void OnReadable(uint64_t id) {
    std::vector<char> buffer(kReadBytes);
    while (true) {
      const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0) {
        parser_.Feed(absl::string_view(buffer.data(), static_cast<size_t>(n)),
                     [this](const FrameHeader& header, absl::string_view payload, bool fits) {
                       OnFrame(header, payload, fits);
                     });
        if (static_cast<size_t>(n) < buffer.size()) return;
      } else if (n < 0 && errno == EINTR) {
        continue;
      } else if (n < 0 && errno == EAGAIN) {
        return;
      } else {
        return Lose(id);
      }
    }
  }

  void OnFrame(const FrameHeader& header, absl::string_view payload, bool fits) {
    if (header.type != static_cast<uint8_t>(FrameType::kResponse)) return;
    Done done = Take(header.stream);
    if (done == nullptr) return;  // Nobody waits for it any more.
    if (!fits) return done(absl::ResourceExhaustedError("the shim's answer is too long"), "");
    wire::Response response;
    if (!response.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return done(absl::InternalError("the shim's answer is not a ttrpc response"), "");
    }
    if (response.status().code() != 0) {
      return done(absl::Status(static_cast<absl::StatusCode>(response.status().code()),
                               response.status().message()),
                  "");
    }
    done(absl::OkStatus(), std::move(*response.mutable_payload()));
  }

  void Lose(uint64_t id) {
    std::map<uint32_t, Done> failed;
    OnLost on_lost;
    uint64_t write_watch;
    {
      absl::MutexLock lock(&mu_);
      if (silent_) return;
      closed_ = true;
      failed.swap(pending_);
      on_lost = std::move(on_lost_);
      write_watch = std::exchange(write_watch_, 0);
    }
    loop_->Unwatch(id);
    if (write_watch != 0) loop_->Unwatch(write_watch);
    for (auto& [stream, done] : failed) done(LostError(), "");
    if (on_lost) on_lost();
  }

  IoLoop* const loop_;
  const UniqueFd socket_;
  FrameParser parser_{kMaxAnswerBytes};  // The loop's.

  absl::Mutex mu_;
  OnLost on_lost_ ABSL_GUARDED_BY(mu_);
  std::map<uint32_t, Done> pending_ ABSL_GUARDED_BY(mu_);  // By stream.
  uint32_t next_stream_ ABSL_GUARDED_BY(mu_) = 1;          // A client's are odd.
  std::string out_ ABSL_GUARDED_BY(mu_);                   // What is not sent yet.
  uint64_t watch_ ABSL_GUARDED_BY(mu_) = 0;
  UniqueFd write_fd_ ABSL_GUARDED_BY(mu_);
  uint64_t write_watch_ ABSL_GUARDED_BY(mu_) = 0;  // Not 0: the loop writes.
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool silent_ ABSL_GUARDED_BY(mu_) = false;  // The client is gone.
};

absl::StatusOr<std::unique_ptr<ShimClient>> ShimClient::Connect(IoLoop* loop,
                                                                const std::string& directory,
                                                                OnLost on_lost) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd socket, Dial(directory));
  auto connection = std::make_shared<Connection>(loop, std::move(socket), std::move(on_lost));
  CRISP_RETURN_IF_ERROR(connection->Start());
  return std::unique_ptr<ShimClient>(new ShimClient(std::move(connection)));
}

ShimClient::ShimClient(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

ShimClient::~ShimClient() { connection_->Close(); }

bool ShimClient::lost() const { return connection_->closed(); }

absl::Status ShimClient::Call(absl::string_view service, absl::string_view method,
                              const google::protobuf::MessageLite& request,
                              google::protobuf::MessageLite* response, absl::Duration timeout) {
  struct Answer {
    absl::Mutex mu;
    bool here ABSL_GUARDED_BY(mu) = false;
    absl::Status status ABSL_GUARDED_BY(mu);
    std::string payload ABSL_GUARDED_BY(mu);
  };
  const auto answer = std::make_shared<Answer>();
  const uint32_t stream = connection_->Send(service, method, request.SerializeAsString(), timeout,
                                            [answer](absl::Status status, std::string payload) {
                                              absl::MutexLock lock(&answer->mu);
                                              answer->status = std::move(status);
                                              answer->payload = std::move(payload);
                                              answer->here = true;
                                            });
  absl::MutexLock lock(&answer->mu);
  if (!answer->mu.AwaitWithTimeout(absl::Condition(&answer->here), timeout)) {
    answer->mu.Unlock();
    const bool forgotten = connection_->Forget(stream);
    answer->mu.Lock();
    if (forgotten) return absl::DeadlineExceededError("the shim did not answer in time");
    answer->mu.Await(absl::Condition(&answer->here));
  }
  CRISP_RETURN_IF_ERROR(answer->status);
  if (response != nullptr && !response->ParseFromString(answer->payload)) {
    return absl::InternalError(absl::StrCat("the shim's answer to ", method, " is malformed"));
  }
  return absl::OkStatus();
}

void ShimClient::CallAsync(absl::string_view service, absl::string_view method,
                           const google::protobuf::MessageLite& request, absl::Duration timeout,
                           Done done) {
  const uint32_t stream =
      connection_->Send(service, method, request.SerializeAsString(), timeout, std::move(done));
  if (stream == 0 || timeout == absl::InfiniteDuration()) return;
  connection_->loop()->PostAfter(timeout, [weak = std::weak_ptr<Connection>(connection_), stream] {
    if (const auto connection = weak.lock()) connection->Expire(stream);
  });
}

}  // namespace crisp::shim
