#include "logfile/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp {
namespace {

constexpr size_t kFlushBytes = 128 << 10;
constexpr int kMaxRaces = 16;

// O_NONBLOCK keeps a FIFO without a reader from holding us up; regular files
// ignore it.
constexpr int kFlags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

// Opens the file, or makes it. If this fails, no file was made.
absl::StatusOr<UniqueFd> OpenLog(int directory, const std::string& path) {
  const size_t slash = path.rfind('/');
  UniqueFd made_parent;
  int parent = directory;
  if (slash != std::string::npos) {
    CRISP_ASSIGN_OR_RETURN(made_parent, MakeDirsBeneath(directory, path.substr(0, slash), 0755));
    parent = made_parent.get();
  }
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  for (int race = 0; race < kMaxRaces; ++race) {
    auto fd = OpenBeneath(parent, name, kFlags, Resolve::kNoSymlinks);
    if (fd.ok()) {
      struct stat st;
      CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(fd->get(), &st); }));
      if (!S_ISREG(st.st_mode)) return absl::FailedPreconditionError("not a regular file");
      return fd;
    }
    if (ErrnoOf(fd.status()) != ENOENT) return fd.status();
    auto made = OpenBeneath(parent, name, kFlags | O_CREAT | O_EXCL, Resolve::kNoSymlinks, 0640);
    if (made.ok()) {
      // The umask has taken its part.
      (void)::fchmod(made->get(), 0640);
      return made;
    }
    if (ErrnoOf(made.status()) != EEXIST) return made.status();
  }
  return absl::AbortedError("the file comes and goes");
}

absl::string_view StreamName(LogStream stream) {
  return stream == LogStream::kStdout ? "stdout" : "stderr";
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& directory,
                                                       const std::string& path, Clock* clock,
                                                       DropListener on_drop) {
  if (directory.empty() || directory[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("log directory \"", directory, "\" is not absolute"));
  }
  if (!IsCleanRelative(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("log path \"", path, "\" is not relative and clean"));
  }
  CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(directory, 0755), "make log directory ", directory));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, Annotate(OpenDir(directory), "log directory ", directory));
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd file, Annotate(OpenLog(dir.get(), path), "open log ", JoinPath(directory, path)));
  return std::unique_ptr<LogFile>(
      new LogFile(std::move(dir), std::move(file), path, clock, std::move(on_drop)));
}

LogFile::LogFile(UniqueFd directory, UniqueFd file, std::string path, Clock* clock,
                 DropListener on_drop)
    : directory_(std::move(directory)),
      path_(std::move(path)),
      clock_(clock),
      on_drop_(std::move(on_drop)),
      file_(std::move(file)) {}

void LogFile::Write(LogStream stream, absl::string_view data) {
  std::string& pending = pending_[static_cast<size_t>(stream)];
  StartBatch(stream);
  while (!data.empty()) {
    const size_t end = data.find('\n');
    if (end == absl::string_view::npos) {
      pending.append(data.data(), data.size());
      // A copy of its own size: a thousand idle streams keep no large buffers.
      pending = std::string(AddPartials(pending));
      break;
    }
    if (pending.empty()) {
      AddLine(data.substr(0, end));
    } else {
      pending.append(data.data(), end);
      AddLine(pending);
      pending.clear();
    }
    data.remove_prefix(end + 1);
  }
  Flush();
}

void LogFile::Finish(LogStream stream) {
  std::string& pending = pending_[static_cast<size_t>(stream)];
  if (pending.empty()) return;
  StartBatch(stream);
  const absl::string_view rest = AddPartials(pending);
  AddRecord(/*full=*/false, rest);
  pending.clear();
  Flush();
}

absl::StatusOr<UniqueFd> LogFile::OpenAgain() const {
  return Annotate(OpenLog(directory_.get(), path_), "reopen log ", path_);
}

void LogFile::Use(UniqueFd file) {
  file_ = std::move(file);
  torn_ = false;
}

absl::Status LogFile::Reopen() {
  CRISP_ASSIGN_OR_RETURN(UniqueFd file, OpenAgain());
  Use(std::move(file));
  return absl::OkStatus();
}

void LogFile::StartBatch(LogStream stream) {
  head_ = absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", clock_->Now(), absl::UTCTimeZone()),
                       " ", StreamName(stream), " ");
}

void LogFile::AddRecord(bool full, absl::string_view content) {
  absl::StrAppend(&out_, head_, full ? "F " : "P ", content, "\n");
  if (out_.size() >= kFlushBytes) Flush();
}

absl::string_view LogFile::AddPartials(absl::string_view line) {
  // One byte over the bound that is a carriage return may belong to the newline
  // and then does not count; the next byte tells.
  while (line.size() > kMaxContent && !(line.size() == kMaxContent + 1 && line.back() == '\r')) {
    AddRecord(/*full=*/false, line.substr(0, kMaxContent));
    line.remove_prefix(kMaxContent);
  }
  return line;
}

void LogFile::AddLine(absl::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  while (line.size() > kMaxContent) {
    AddRecord(/*full=*/false, line.substr(0, kMaxContent));
    line.remove_prefix(kMaxContent);
  }
  AddRecord(/*full=*/true, line);
}

void LogFile::Flush() {
  if (out_.empty()) return;
  const size_t first = torn_ ? 1 : 0;
  if (torn_) out_.insert(0, 1, '\n');  // Ends the torn record, so that ours stay whole.
  size_t done = 0;
  int err = 0;
  while (done < out_.size()) {
    const ssize_t n = ::write(file_.get(), out_.data() + done, out_.size() - done);
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      err = n == 0 ? ENOSPC : errno;
      break;
    }
  }
  if (done > 0) torn_ = false;
  if (done < out_.size()) {
    // Every record ends in a newline and has no other, so the last one written
    // marks where whole records end. What follows is taken back.
    const size_t last = done == 0 ? std::string::npos : out_.rfind('\n', done - 1);
    const size_t whole = last == std::string::npos ? 0 : last + 1;
    if (done > whole) {
      const off_t end = ::lseek(file_.get(), 0, SEEK_CUR);
      torn_ = end < 0 || ::ftruncate(file_.get(), end - static_cast<off_t>(done - whole)) != 0;
    }
    Dropped(
        static_cast<size_t>(std::count(out_.begin() + std::max(whole, first), out_.end(), '\n')),
        err);
  } else if (dropping_) {
    dropping_ = false;
    on_drop_(0, dropped_ - dropped_before_);
  }
  out_.clear();
}

void LogFile::Dropped(size_t records, int err) {
  if (!dropping_) {
    dropping_ = true;
    dropped_before_ = dropped_;
    on_drop_(err, 0);
  }
  dropped_ += records;
}

}  // namespace crisp
