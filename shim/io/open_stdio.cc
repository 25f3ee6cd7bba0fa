#include "shim/io/open_stdio.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "shim/io/fd_sink.h"

namespace crisp::shim {
namespace {

constexpr char kFileScheme[] = "file://";

absl::StatusOr<UniqueFd> Open(const std::string& path, int flags, mode_t mode = 0) {
  return SysFd(absl::StrCat("open ", path),
               [&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); });
}

bool IsFifo(const UniqueFd& fd) {
  struct stat st;
  return ::fstat(fd.get(), &st) == 0 && S_ISFIFO(st.st_mode);
}

absl::StatusOr<UniqueFd> OpenOutput(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Open(path, O_RDWR | O_NONBLOCK));
  if (IsFifo(fd)) return fd;
  // Not a FIFO: then it is written as a file.
  return Open(path, O_WRONLY | O_APPEND | O_NONBLOCK);
}

absl::Status AddFifos(Loop* loop, const Stdio& stdio, ProcessIo* io) {
  if (!stdio.out.empty()) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Annotate(OpenOutput(stdio.out), "stdout"));
    CRISP_RETURN_IF_ERROR(
        io->AddOutput(LogStream::kStdout, std::make_unique<FdSink>(loop, std::move(fd))));
  }
  if (!stdio.err.empty() && !stdio.terminal) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Annotate(OpenOutput(stdio.err), "stderr"));
    CRISP_RETURN_IF_ERROR(
        io->AddOutput(LogStream::kStderr, std::make_unique<FdSink>(loop, std::move(fd))));
  }
  return absl::OkStatus();
}

absl::Status AddFile(Loop* loop, const Stdio& stdio, ProcessIo* io) {
  const std::string path(absl::StripPrefix(stdio.out, kFileScheme));
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("stdout ", stdio.out, " is not absolute"));
  }
  const size_t slash = path.rfind('/');
  if (slash > 0) CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(path.substr(0, slash), 0755), "stdout"));
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    if (stream == LogStream::kStderr && (stdio.terminal || stdio.err.empty())) continue;
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Annotate(Open(path, kFlags, 0644), "stdout"));
    CRISP_RETURN_IF_ERROR(io->AddOutput(stream, std::make_unique<FdSink>(loop, std::move(fd))));
  }
  return absl::OkStatus();
}

// The container writes to the logger's pipes directly: its output does not pass through us.
absl::Status AddBinary(Loop* loop, Children* children, const Stdio& stdio, ProcessIo* io) {
  std::array<UniqueFd, 2> read;
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    std::array<int, 2> fds;
    CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(fds.data(), O_CLOEXEC); }));
    read[static_cast<size_t>(stream)] = UniqueFd(fds[0]);
    UniqueFd write(fds[1]);
    if (!stdio.terminal) {
      io->SetChildOutput(stream, std::move(write));
    } else if (stream == LogStream::kStdout) {
      CRISP_RETURN_IF_ERROR(
          Sys("fcntl", [&] { return ::fcntl(write.get(), F_SETFL, O_NONBLOCK); }));
      CRISP_RETURN_IF_ERROR(
          io->AddOutput(stream, std::make_unique<FdSink>(loop, std::move(write))));
    }
  }
  CRISP_ASSIGN_OR_RETURN(
      auto logger,
      LoggerBinary::Start(loop, children, stdio.out, stdio.container_id, stdio.container_namespace,
                          std::move(read[0]), std::move(read[1])));
  io->SetLogger(std::move(logger));
  return absl::OkStatus();
}

absl::Status AddInput(const std::string& path, ProcessIo* io) {
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stdin ", path), [&] { return ::stat(path.c_str(), &st); }));
  CRISP_RETURN_IF_ERROR(io->AddInput());
  io->SetInputFifo(path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessIo>> OpenStdio(Loop* loop, Children* children,
                                                     const Stdio& stdio) {
  auto io = std::make_unique<ProcessIo>(loop, stdio.terminal);
  if (absl::StartsWith(stdio.out, kFileScheme)) {
    CRISP_RETURN_IF_ERROR(AddFile(loop, stdio, io.get()));
  } else if (absl::StartsWith(stdio.out, "binary")) {
    CRISP_RETURN_IF_ERROR(AddBinary(loop, children, stdio, io.get()));
  } else if (absl::StrContains(stdio.out, "://")) {
    return absl::InvalidArgumentError(
        absl::StrCat("stdout ", stdio.out, ": want a FIFO, file:// or binary://"));
  } else {
    CRISP_RETURN_IF_ERROR(AddFifos(loop, stdio, io.get()));
  }
  if (!stdio.in.empty()) CRISP_RETURN_IF_ERROR(AddInput(stdio.in, io.get()));
  io->SetOwner(stdio.owner.uid, stdio.owner.gid);
  return io;
}

}  // namespace crisp::shim
