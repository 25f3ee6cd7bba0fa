#include "cri/streaming/command_session.h"

#include <fcntl.h>
#include <signal.h>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/streaming/stream_status.h"

namespace crisp::cri {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// How long a child that outlives the process may keep a silent output open.
constexpr auto kDrain = std::chrono::seconds(2);

absl::Status Detached() {
  return absl::ResourceExhaustedError(
      "detached: the client did not keep up with the container's output; the log has it all");
}

// Asio owns what it reads, and the session keeps its own.
absl::Status Assign(asio::posix::stream_descriptor* to, int fd) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd copy,
                         SysFd("dup", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
  error_code error;
  to->assign(copy.get(), error);
  if (error) return absl::InternalError(absl::StrCat("watch a stream: ", error.message()));
  (void)copy.release();
  return absl::OkStatus();
}

void Close(asio::posix::stream_descriptor* fd) {
  error_code ignored;
  fd->close(ignored);
}

}  // namespace

CommandSession::CommandSession(const StreamContext& context, StreamRequest request,
                               CommandStreams streams, bool status_json,
                               std::function<void()> finish)
    : context_(context),
      request_(std::move(request)),
      status_json_(status_json),
      streams_(std::move(streams)),
      finish_(std::move(finish)),
      input_(context.executor),
      stdout_(context.executor),
      stderr_(context.executor),
      drain_(context.executor) {}

CommandSession::~CommandSession() = default;

void CommandSession::Start() {
  context_.blocking->Post([self = shared_from_this(), work = context_.Work()]() mutable {
    Opened session = self->Open();
    const asio::any_io_executor executor = self->context_.executor;
    asio::post(executor, [self = std::move(self), session = std::move(session)]() mutable {
      self->OnOpened(std::move(session));
    });
  });
}

CommandSession::Opened CommandSession::Open() {
  if (request_.kind == StreamKind::kAttach) {
    CRISP_ASSIGN_OR_RETURN(std::unique_ptr<TaskSession> session,
                           request_.driver->Attach(request_.id, request_.streams));
    return std::shared_ptr<TaskSession>(std::move(session));
  }
  CRISP_ASSIGN_OR_RETURN(
      std::unique_ptr<ExecSession> session,
      request_.driver->Exec(request_.id, request_.process_json, request_.streams));
  exec_ = session.get();
  return std::shared_ptr<TaskSession>(std::move(session));
}

void CommandSession::OnOpened(Opened session) {
  if (session.ok()) session_ = *std::move(session);
  if (done_) {  // The client went away meanwhile.
    Drop(/*hang_up=*/true);
    return;
  }
  absl::Status status = session.status();
  if (status.ok()) status = TakeDescriptors();
  if (!status.ok()) {
    LogDebug("a session cannot be opened", {{"id", request_.id}, {"error", status}});
    End(status);
    return;
  }
  session_->OnExit([weak = weak_from_this(),
                    executor = context_.executor](const absl::StatusOr<int>& exit_code) {
    asio::post(executor, [weak, exit_code] {
      if (const auto self = weak.lock()) self->OnExit(exit_code);
    });
  });
  if (streams_.stdin != nullptr) PumpInput();
  if (streams_.resize != nullptr) PumpResize();
  for (Output* output : {&stdout_, &stderr_}) {
    if (!output->ended) PumpOutput(output);
  }
}

absl::Status CommandSession::TakeDescriptors() {
  stdout_.stream = streams_.stdout;
  stderr_.stream = streams_.stderr;
  stdout_.ended = session_->stdout_fd() < 0;
  stderr_.ended = session_->stderr_fd() < 0;
  has_output_ = !stdout_.ended || !stderr_.ended;
  if (!stdout_.ended) CRISP_RETURN_IF_ERROR(Assign(&stdout_.fd, session_->stdout_fd()));
  if (!stderr_.ended) CRISP_RETURN_IF_ERROR(Assign(&stderr_.fd, session_->stderr_fd()));
  if (session_->stdin_fd() >= 0) CRISP_RETURN_IF_ERROR(Assign(&input_, session_->stdin_fd()));
  return absl::OkStatus();
}

void CommandSession::PumpInput() {
  streams_.stdin->AsyncRead([self = shared_from_this()](absl::StatusOr<std::string> data) {
    if (self->done_ || !data.ok()) return;
    if (data->empty()) {
      self->CloseInput();
      return;
    }
    if (!self->input_.is_open()) {  // Nobody reads it any more.
      self->PumpInput();
      return;
    }
    self->input_chunk_ = *std::move(data);
    asio::async_write(self->input_, asio::buffer(self->input_chunk_),
                      [self](error_code error, size_t) {
                        if (self->done_) return;
                        if (error) Close(&self->input_);
                        self->PumpInput();
                      });
  });
}

void CommandSession::CloseInput() {
  Close(&input_);
  session_->CloseStdin();
}

void CommandSession::PumpResize() {
  streams_.resize->AsyncRead([self = shared_from_this()](absl::StatusOr<std::string> data) {
    if (self->done_ || !data.ok() || data->empty()) return;
    for (const TerminalSize& size : self->resizes_.Feed(*data)) {
      self->session_->Resize(size.width, size.height);
    }
    self->PumpResize();
  });
}

void CommandSession::PumpOutput(Output* output) {
  output->reading = true;
  output->fd.async_read_some(asio::buffer(output->buffer), [self = shared_from_this(), output](
                                                               error_code error, size_t n) {
    if (self->done_ || output->ended) return;
    output->reading = false;
    if (error) {
      self->OnOutputEnd(output);
      return;
    }
    if (output->discard || output->stream == nullptr) {
      self->PumpOutput(output);
      return;
    }
    output->stream->AsyncWrite(std::string(output->buffer.data(), n),
                               [self, output](const absl::Status& status) {
                                 if (self->done_) return;
                                 if (!status.ok()) output->discard = true;
                                 if (self->exit_code_.has_value()) self->ArmDrain();
                                 self->PumpOutput(output);
                               });
  });
}

void CommandSession::OnOutputEnd(Output* output) {
  output->ended = true;
  Close(&output->fd);
  if (output->stream != nullptr) output->stream->CloseWrite();
  MaybeEnd();
}

void CommandSession::OnExit(const absl::StatusOr<int>& exit_code) {
  if (done_) return;
  exit_code_ = exit_code;
  ArmDrain();
  MaybeEnd();
}

void CommandSession::ArmDrain() {
  drain_.expires_after(kDrain);
  drain_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->done_) return;
    for (Output* output : {&self->stdout_, &self->stderr_}) {
      // One that waits for its client is not silent.
      if (!output->ended && output->reading) self->OnOutputEnd(output);
      if (self->done_) return;
    }
    if (!self->exit_code_.has_value()) self->End(Detached());
  });
}

void CommandSession::MaybeEnd() {
  if (done_ || !stdout_.ended || !stderr_.ended) return;
  if (session_->fell_behind()) {
    End(Detached());
  } else if (exit_code_.has_value()) {
    End(request_.kind == StreamKind::kAttach ? 0 : *exit_code_);
  } else if (request_.kind == StreamKind::kAttach && has_output_) {
    ArmDrain();  // The container's end follows, unless it was only this client's.
  }
}

void CommandSession::End(const absl::StatusOr<int>& exit_code) {
  if (done_) return;
  done_ = true;
  for (const auto& stream : {streams_.stdout, streams_.stderr}) {
    if (stream != nullptr) stream->CloseWrite();
  }
  std::string text = status_json_ ? StatusJson(exit_code) : StatusText(exit_code);
  const std::shared_ptr<ClientStream> error = streams_.error;
  auto finish = [error, finish = std::exchange(finish_, nullptr)] {
    error->CloseWrite();
    if (finish) finish();
  };
  if (text.empty()) {
    finish();
  } else {
    if (text.size() > ClientStream::kMaxWrite) text.resize(ClientStream::kMaxWrite);
    error->AsyncWrite(std::move(text), [finish](const absl::Status&) { finish(); });
  }
  Drop(/*hang_up=*/!exit_code_.has_value());
}

void CommandSession::Abort() {
  if (done_) return;
  done_ = true;
  finish_ = nullptr;
  Drop(/*hang_up=*/!exit_code_.has_value());
}

void CommandSession::Drop(bool hang_up) {
  drain_.cancel();
  Close(&input_);
  Close(&stdout_.fd);
  Close(&stderr_.fd);
  streams_ = {};
  stdout_.stream = stderr_.stream = nullptr;
  if (session_ == nullptr) return;
  ExecSession* const terminal =
      hang_up && request_.streams.terminal ? std::exchange(exec_, nullptr) : nullptr;
  context_.blocking->Post([session = std::exchange(session_, nullptr), terminal]() mutable {
    if (terminal == nullptr) {
      session.reset();
      return;
    }
    if (const absl::Status hung = terminal->Signal(SIGHUP); !hung.ok()) {
      LogDebug("a terminal's process cannot be told of its end", {{"error", hung}});
    }
    session.reset();
  });
}

}  // namespace crisp::cri
