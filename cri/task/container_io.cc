#include "cri/task/container_io.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr char kStdin[] = "stdin";
constexpr char kStdout[] = "stdout";
constexpr char kStderr[] = "stderr";

}  // namespace

absl::StatusOr<IoDirectory> IoDirectory::Open(const std::string& path) {
  CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(path, 0700), "make ", path));
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Annotate(OpenDir(path), "open ", path));
  return IoDirectory{std::move(fd), path};
}

absl::StatusOr<IoDirectory> IoDirectory::Make(const std::string& name) const {
  const std::string child = JoinPath(path, name);
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("mkdir ", child), [&] { return ::mkdirat(fd.get(), name.c_str(), 0700); }));
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd child_fd,
      Annotate(OpenBeneath(fd.get(), name, O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks), "open ",
               child));
  return IoDirectory{std::move(child_fd), child};
}

absl::StatusOr<std::unique_ptr<ContainerIo>> ContainerIo::Create(IoLoop* loop,
                                                                 const IoDirectory& parent,
                                                                 const std::string& id,
                                                                 const Options& options,
                                                                 std::unique_ptr<LogWriter> log) {
  CRISP_ASSIGN_OR_RETURN(const IoDirectory directory, parent.Make(id));
  auto undo = absl::MakeCleanup([&] { (void)Remove(parent, id); });
  CRISP_RETURN_IF_ERROR(MakeFifoAt(directory.fd.get(), kStdout));
  if (!options.tty) CRISP_RETURN_IF_ERROR(MakeFifoAt(directory.fd.get(), kStderr));
  if (options.stdin) CRISP_RETURN_IF_ERROR(MakeFifoAt(directory.fd.get(), kStdin));
  std::unique_ptr<ContainerIo> io(new ContainerIo(directory.path, options, std::move(log)));
  CRISP_RETURN_IF_ERROR(
      Annotate(io->StartReading(loop, directory.fd.get()), "streams in ", directory.path));
  std::move(undo).Cancel();
  return io;
}

absl::StatusOr<std::unique_ptr<ContainerIo>> ContainerIo::Adopt(IoLoop* loop,
                                                                const IoDirectory& parent,
                                                                const std::string& id,
                                                                const Options& options,
                                                                std::unique_ptr<LogWriter> log) {
  const std::string path = JoinPath(parent.path, id);
  CRISP_ASSIGN_OR_RETURN(
      const UniqueFd fd,
      Annotate(OpenBeneath(parent.fd.get(), id, O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks),
               "open ", path));
  std::unique_ptr<ContainerIo> io(new ContainerIo(path, options, std::move(log)));
  CRISP_RETURN_IF_ERROR(Annotate(io->StartReading(loop, fd.get()), "streams in ", path));
  return io;
}

absl::Status ContainerIo::Remove(const IoDirectory& parent, const std::string& id) {
  return Annotate(RemoveTreeAt(parent.fd.get(), id), "remove streams of ", id);
}

ContainerIo::ContainerIo(std::string path, const Options& options, std::unique_ptr<LogWriter> log)
    : path_(std::move(path)),
      options_(options),
      log_(std::move(log)),
      open_streams_(options.tty ? 1 : 2) {}

ContainerIo::~ContainerIo() { StopReading(); }

absl::Status ContainerIo::StartReading(IoLoop* loop, int dirfd) {
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    if (stream == LogStream::kStderr && options_.tty) break;
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd,
                           OpenFifoAt(dirfd, stream == LogStream::kStdout ? kStdout : kStderr));
    CRISP_ASSIGN_OR_RETURN(
        std::unique_ptr<FifoReader> reader,
        FifoReader::Start(
            loop, std::move(fd), [this, stream](absl::string_view data) { OnData(stream, data); },
            [this, stream] { OnEnd(stream); }));
    readers_.push_back(std::move(reader));
  }
  return absl::OkStatus();
}

std::string ContainerIo::stdin_path() const {
  return options_.stdin ? JoinPath(path_, kStdin) : "";
}

std::string ContainerIo::stdout_path() const { return JoinPath(path_, kStdout); }

std::string ContainerIo::stderr_path() const {
  return options_.tty ? "" : JoinPath(path_, kStderr);
}

void ContainerIo::Attach(const std::shared_ptr<Attachment>& attachment) {
  if (options_.tty) attachment->End(LogStream::kStderr);  // There is none to come.
  attachments_.Add(attachment);
}

absl::StatusOr<UniqueFd> ContainerIo::OpenStdin() const {
  if (!options_.stdin) return absl::FailedPreconditionError("the container has no input");
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory, OpenDir(path_));
  return OpenFifoForWritingAt(directory.get(), kStdin);
}

void ContainerIo::OnData(LogStream stream, absl::string_view data) {
  if (log_ != nullptr) log_->Write(stream, data);
  attachments_.Write(stream, data);
}

void ContainerIo::OnEnd(LogStream stream) {
  if (log_ != nullptr) log_->Finish(stream);
  attachments_.End(stream);
  std::vector<std::function<void()>> callbacks;
  {
    absl::MutexLock lock(&mu_);
    if (--open_streams_ > 0) return;
    callbacks.swap(on_drained_);
  }
  for (const auto& callback : callbacks) callback();
}

void ContainerIo::OnDrained(std::function<void()> callback) {
  {
    absl::MutexLock lock(&mu_);
    if (open_streams_ > 0) {
      on_drained_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

absl::Status ContainerIo::ReopenLog() {
  if (log_ == nullptr) return absl::FailedPreconditionError("the container has no log");
  return log_->Reopen();
}

void ContainerIo::StopReading() {
  for (const auto& reader : readers_) reader->Stop();
  attachments_.End(LogStream::kStdout);
  attachments_.End(LogStream::kStderr);
  if (log_ == nullptr) return;
  log_->Finish(LogStream::kStdout);
  log_->Finish(LogStream::kStderr);
}

void ContainerIo::Close() {
  for (const auto& reader : readers_) {
    reader->Stop();
    reader->Drain();
  }
  StopReading();
}

}  // namespace crisp::cri
