#include "shim/io/process_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

// Room for bursts: fewer, larger reads. Less is fine, if the user's share is used up.
constexpr int kPipeBytes = 256 << 10;

struct Pipe {
  UniqueFd read, write;
};

absl::StatusOr<Pipe> MakePipe() {
  std::array<int, 2> fds;
  CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(fds.data(), O_CLOEXEC); }));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<UniqueFd> Duplicate(const UniqueFd& fd) {
  return SysFd("dup", [&] { return ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0); });
}

absl::Status SetNonBlocking(const UniqueFd& fd) {
  return Sys("fcntl", [&] { return ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); });
}

}  // namespace

ProcessIo::~ProcessIo() {
  loop_->Cancel(drain_timer_);
  loop_->Cancel(sweep_);
  for (auto& source : sources_) source.reset();
  fifo_source_.reset();
}

absl::Status ProcessIo::AddOutput(LogStream stream, std::unique_ptr<Sink> sink) {
  const auto index = static_cast<size_t>(stream);
  sinks_[index] = sink.get();
  own_sinks_[index] = std::move(sink);
  if (terminal_) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  (void)::fcntl(pipe.read.get(), F_SETPIPE_SZ, kPipeBytes);
  CRISP_RETURN_IF_ERROR(SetNonBlocking(pipe.read));
  child_[1 + index] = std::move(pipe.write);
  CRISP_ASSIGN_OR_RETURN(sources_[index], Source::Start(loop_, std::move(pipe.read), sinks_[index],
                                                        [this] { CheckDrained(); }));
  return absl::OkStatus();
}

absl::Status ProcessIo::AddLog(std::unique_ptr<ContainerLog> log) {
  // The log's own sinks, behind sinks of ours.
  class Forward : public Sink {
   public:
    explicit Forward(Sink* to) : to_(to) {
      to_->OnRoom([this] { Resume(); });
    }
    bool Take(absl::string_view data) override { return to_->Take(data); }
    void End() override { to_->End(); }
    bool flushed() const override { return to_->flushed(); }

   private:
    Sink* const to_;
  };
  log_ = std::move(log);
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    if (terminal_ && stream == LogStream::kStderr) continue;
    CRISP_RETURN_IF_ERROR(AddOutput(stream, std::make_unique<Forward>(log_->sink(stream))));
  }
  return absl::OkStatus();
}

absl::StatusOr<Capture*> ProcessIo::AddCapture(LogStream stream, size_t max_bytes) {
  auto capture = std::make_unique<Capture>(max_bytes);
  Capture* const raw = capture.get();
  CRISP_RETURN_IF_ERROR(AddOutput(stream, std::move(capture)));
  return raw;
}

void ProcessIo::SetChildOutput(LogStream stream, UniqueFd fd) {
  child_[1 + static_cast<size_t>(stream)] = std::move(fd);
}

absl::Status ProcessIo::AddInput() {
  if (terminal_) return absl::OkStatus();  // Comes with the console.
  CRISP_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  CRISP_RETURN_IF_ERROR(SetNonBlocking(pipe.write));
  child_[0] = std::move(pipe.read);
  input_ = std::move(pipe.write);
  return absl::OkStatus();
}

void ProcessIo::SetOwner(uid_t uid, gid_t gid) {
  for (const UniqueFd& fd : child_) {
    // A user namespace may not map it: then the process cannot reopen its streams, no more.
    if (fd.ok()) (void)!::fchown(fd.get(), uid, gid);
  }
}

void ProcessIo::OnReady(absl::AnyInvocable<void(absl::Status)> ready) {
  if (logger_ != nullptr) {
    logger_->OnReady(std::move(ready));
  } else {
    ready(absl::OkStatus());
  }
}

std::array<int, 3> ProcessIo::child_fds() const {
  return {child_[0].get(), child_[1].get(), child_[2].get()};
}

void ProcessIo::CloseChildEnds() {
  for (UniqueFd& fd : child_) fd.reset();
}

absl::Status ProcessIo::OpenInput() {
  if (input_fifo_path_.empty()) return absl::OkStatus();
  const auto open = [this](int flags) {
    return SysFd(absl::StrCat("open stdin ", input_fifo_path_), [&] {
      return ::open(input_fifo_path_.c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    });
  };
  CRISP_ASSIGN_OR_RETURN(input_fifo_, open(O_RDONLY));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(input_fifo_.get(), &st); }));
  if (S_ISFIFO(st.st_mode) && !stdin_closed_) {
    CRISP_ASSIGN_OR_RETURN(input_fifo_writer_, open(O_WRONLY));
  }
  return StartInputFifo();
}

absl::Status ProcessIo::SetConsole(UniqueFd master) {
  CRISP_RETURN_IF_ERROR(SetNonBlocking(master));
  console_ = std::move(master);
  CRISP_ASSIGN_OR_RETURN(input_, Duplicate(console_));
  if (sinks_[0] != nullptr) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd output, Duplicate(console_));
    CRISP_ASSIGN_OR_RETURN(sources_[0], Source::Start(loop_, std::move(output), sinks_[0],
                                                      [this] { CheckDrained(); }));
  }
  return StartInputFifo();
}

absl::Status ProcessIo::StartInputFifo() {
  if (!input_fifo_.ok() || !input_.ok()) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(UniqueFd to, Duplicate(input_));
  fifo_sink_ = std::make_unique<FdSink>(loop_, std::move(to));
  CRISP_ASSIGN_OR_RETURN(fifo_source_, Source::Start(loop_, std::move(input_fifo_),
                                                     fifo_sink_.get(), [this] { InputEnded(); }));
  return absl::OkStatus();
}

absl::Status ProcessIo::Resize(uint32_t width, uint32_t height) {
  if (!console_.ok()) return absl::OkStatus();
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(std::min<uint32_t>(width, 0xffff));
  size.ws_row = static_cast<unsigned short>(std::min<uint32_t>(height, 0xffff));
  return Sys("resize terminal", [&] { return ::ioctl(console_.get(), TIOCSWINSZ, &size); });
}

void ProcessIo::CloseStdin() {
  stdin_closed_ = true;
  // Not opened yet: then it is as if every client had left.
  if (!input_fifo_path_.empty() && fifo_source_ == nullptr && !input_fifo_.ok()) return;
  if (fifo_source_ != nullptr && !fifo_source_->ended()) {
    // What clients have written still arrives; then the FIFO ends, and stdin with it.
    input_fifo_writer_.reset();
    return;
  }
  input_fifo_writer_.reset();
  input_fifo_.reset();
  if (terminal_) return;
  for (AttachedInput& each : attached_) each.source.reset();
  attached_.clear();
  InputEnded();
}

// A terminal's input has no end of its own.
void ProcessIo::InputEnded() {
  if (!terminal_) input_.reset();
}

absl::Status ProcessIo::AttachStdin(UniqueFd fifo) {
  if (!input_.ok()) return absl::FailedPreconditionError("stdin is not open");
  CRISP_ASSIGN_OR_RETURN(UniqueFd to, Duplicate(input_));
  AttachedInput attached;
  attached.sink = std::make_unique<FdSink>(loop_, std::move(to));
  FdSink* const sink = attached.sink.get();
  auto ended = [this] {
    if (stdin_once_) InputEnded();
    if (sweep_ != 0) return;
    sweep_ = loop_->After(absl::ZeroDuration(), [this] {
      sweep_ = 0;
      // Once stdin is closed the others have nothing to write to.
      attached_.erase(std::remove_if(attached_.begin(), attached_.end(),
                                     [this](AttachedInput& each) {
                                       const bool gone = each.source->ended() || !input_.ok();
                                       if (gone) each.source.reset();
                                       return gone;
                                     }),
                      attached_.end());
    });
  };
  CRISP_ASSIGN_OR_RETURN(attached.source,
                         Source::Start(loop_, std::move(fifo), sink, std::move(ended)));
  attached_.push_back(std::move(attached));
  return absl::OkStatus();
}

void ProcessIo::StopInput() {
  input_fifo_writer_.reset();
  input_fifo_.reset();
  fifo_source_.reset();
  fifo_sink_.reset();
  for (AttachedInput& each : attached_) each.source.reset();
  attached_.clear();
  input_.reset();
}

void ProcessIo::Pump() {
  for (auto& source : sources_) {
    if (source != nullptr) source->Pump();
  }
}

bool ProcessIo::drained() const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i] != nullptr && !(sources_[i]->ended() && sinks_[i]->flushed())) return false;
  }
  return true;
}

void ProcessIo::Drain(absl::Duration bound, Loop::Function done) {
  CloseChildEnds();  // Of a process that never came to be: nobody else has them.
  on_drained_ = std::move(done);
  loop_->Cancel(drain_timer_);
  drain_timer_ = loop_->After(bound, [this] {
    for (auto& source : sources_) {
      if (source != nullptr) source->Finish();
    }
    Drained();
  });
  CheckDrained();
}

void ProcessIo::CheckDrained() {
  if (!on_drained_ || !drained()) return;
  // From the loop: the callback may destroy us, and a source may be what calls.
  loop_->Cancel(drain_timer_);
  drain_timer_ = loop_->After(absl::ZeroDuration(), [this] { Drained(); });
}

void ProcessIo::Drained() {
  drain_timer_ = 0;
  if (on_drained_) std::exchange(on_drained_, nullptr)();
}

}  // namespace crisp::shim
