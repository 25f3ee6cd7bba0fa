#include "cri/task/fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr size_t kReadBytes = 64 << 10;
// A pipe holds at most 1 MiB (pipe(7)); a drain that reads more races with a writer.
constexpr size_t kMaxDrainBytes = 1 << 20;

absl::StatusOr<UniqueFd> OpenChecked(int dirfd, const std::string& name, int mode) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenBeneath(dirfd, name, mode | O_NONBLOCK, Resolve::kNoSymlinks));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(fd.get(), &st); }));
  if (!S_ISFIFO(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(name, " is not a FIFO"));
  }
  return fd;
}

}  // namespace

absl::Status MakeFifoAt(int dirfd, const std::string& name) {
  return Sys(absl::StrCat("mkfifo ", name), [&] { return ::mkfifoat(dirfd, name.c_str(), 0600); });
}

absl::StatusOr<UniqueFd> OpenFifoAt(int dirfd, const std::string& name) {
  return OpenChecked(dirfd, name, O_RDONLY);
}

absl::StatusOr<UniqueFd> OpenFifoForWritingAt(int dirfd, const std::string& name) {
  return OpenChecked(dirfd, name, O_WRONLY);
}

absl::StatusOr<std::unique_ptr<FifoReader>> FifoReader::Start(IoLoop* loop, UniqueFd fd,
                                                              DataCallback on_data,
                                                              std::function<void()> on_end) {
  std::unique_ptr<FifoReader> reader(
      new FifoReader(loop, std::move(fd), std::move(on_data), std::move(on_end)));
  FifoReader* const raw = reader.get();
  CRISP_ASSIGN_OR_RETURN(
      raw->watch_, loop->Watch(raw->fd_.get(), [raw](uint64_t watch) { raw->OnReadable(watch); }));
  return reader;
}

void FifoReader::Stop() { loop_->Unwatch(watch_); }

void FifoReader::Drain() {
  size_t total = 0;
  while (total < kMaxDrainBytes) {
    const ssize_t n = ReadOnce();
    if (n <= 0) return;
    total += static_cast<size_t>(n);
  }
}

void FifoReader::OnReadable(uint64_t watch) {
  if (ReadOnce() != 0) return;
  loop_->Unwatch(watch);  // Not watch_: Start may not have set it yet.
  on_end_();
}

ssize_t FifoReader::ReadOnce() {
  static thread_local char buffer[kReadBytes];
  while (true) {
    const ssize_t n = ::read(fd_.get(), buffer, sizeof(buffer));
    if (n > 0) on_data_(absl::string_view(buffer, static_cast<size_t>(n)));
    if (n >= 0) return n;
    if (errno == EAGAIN) return -1;
    if (errno != EINTR) return 0;  // A pipe that cannot be read has ended.
  }
}

}  // namespace crisp::cri
