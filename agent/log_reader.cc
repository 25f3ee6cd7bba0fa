#include "agent/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::agent {
namespace {

constexpr size_t kBlock = 64 << 10;
// A record is at most 16 KiB of text with its head; one that is longer was not
// written by a runtime and goes out in pieces.
constexpr size_t kMaxRecord = 1 << 20;
constexpr absl::Duration kPoll = absl::Milliseconds(100);
constexpr size_t kLastWords = 400;

class Printer {
 public:
  Printer(const LogOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void Print(absl::string_view record) {
    const std::optional<LogLine> line = ParseLogLine(record);
    if (!line.has_value()) {
      out_ << record << '\n';
      return;
    }
    if (line->time < options_.since) return;
    if (options_.timestamps && !inside_) out_ << line->timestamp << ' ';
    out_ << line->text;
    if (!line->partial) out_ << '\n';
    inside_ = line->partial;
  }

 private:
  const LogOptions& options_;
  std::ostream& out_;
  bool inside_ = false;  // A partial record is out and its line has not ended.
};

// Reads what is there from `offset` on; returns where it stopped: after the last
// whole record, so that one being written is read again.
absl::StatusOr<int64_t> PrintFrom(int fd, int64_t offset, Printer& printer) {
  std::string pending;
  std::string block(kBlock, '\0');
  int64_t read_at = offset;
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const ssize_t got, SysValue("read log", [&] {
                             return ::pread(fd, block.data(), block.size(), read_at);
                           }));
    if (got == 0) return offset;
    read_at += got;
    pending.append(block, 0, static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      printer.Print(absl::string_view(pending).substr(begin, end - begin));
    }
    if (pending.size() - begin > kMaxRecord) {
      printer.Print(absl::string_view(pending).substr(begin));
      begin = pending.size();
    }
    offset += static_cast<int64_t>(begin);
    pending.erase(0, begin);
  }
}

absl::StatusOr<UniqueFd> OpenLog(const std::string& path) {
  absl::StatusOr<UniqueFd> fd = SysFd(absl::StrCat("open log ", path), [&] {
    return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  });
  if (!fd.ok() && ErrnoOf(fd.status()) == ENOENT) {
    return absl::NotFoundError(absl::StrCat("there is no log at ", path));
  }
  return fd;
}

absl::StatusOr<struct stat> StatFd(int fd) {
  struct stat info = {};
  CRISP_RETURN_IF_ERROR(Sys("stat log", [&] { return ::fstat(fd, &info); }));
  return info;
}

}  // namespace

std::optional<LogLine> ParseLogLine(absl::string_view record) {
  LogLine line;
  const size_t stream_at = record.find(' ');
  if (stream_at == absl::string_view::npos) return std::nullopt;
  line.timestamp = record.substr(0, stream_at);
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, line.timestamp, &line.time, &error)) {
    return std::nullopt;
  }
  record.remove_prefix(stream_at + 1);
  if (absl::ConsumePrefix(&record, "stderr ")) {
    line.is_stderr = true;
  } else if (!absl::ConsumePrefix(&record, "stdout ")) {
    return std::nullopt;
  }
  const size_t text_at = std::min(record.find(' '), record.size());
  // More tags may follow the first, after a colon.
  const absl::string_view tag = record.substr(0, std::min(record.find(':'), text_at));
  if (tag != "F" && tag != "P") return std::nullopt;
  line.partial = tag == "P";
  line.text = record.substr(std::min(text_at + 1, record.size()));
  return line;
}

absl::StatusOr<int64_t> TailOffset(int fd, int64_t records) {
  CRISP_ASSIGN_OR_RETURN(const struct stat info, StatFd(fd));
  if (records <= 0) return static_cast<int64_t>(info.st_size);
  std::string block(kBlock, '\0');
  int64_t end = info.st_size;
  int64_t newlines = 0;
  while (end > 0) {
    const int64_t begin = std::max<int64_t>(0, end - static_cast<int64_t>(kBlock));
    const auto wanted = static_cast<size_t>(end - begin);
    CRISP_ASSIGN_OR_RETURN(const ssize_t got, SysValue("read log", [&] {
                             return ::pread(fd, block.data(), wanted, begin);
                           }));
    if (got != static_cast<ssize_t>(wanted)) return begin;  // Truncated meanwhile.
    for (int64_t i = got - 1; i >= 0; --i) {
      const bool last_byte = begin + i + 1 == info.st_size;
      if (block[static_cast<size_t>(i)] == '\n' && !last_byte && ++newlines == records) {
        return begin + i + 1;
      }
    }
    end = begin;
  }
  return 0;
}

absl::Status PrintLog(const std::string& path, const LogOptions& options,
                      const std::function<bool()>& ended, std::ostream& out) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenLog(path));
  int64_t offset = 0;
  if (options.tail.has_value()) {
    CRISP_ASSIGN_OR_RETURN(offset, TailOffset(fd.get(), *options.tail));
  }
  Printer printer(options, out);
  while (true) {
    // Asked before reading: what was written until the end is still read.
    const bool last_round = !options.follow || ended();
    CRISP_ASSIGN_OR_RETURN(offset, PrintFrom(fd.get(), offset, printer));
    out.flush();
    if (last_round || !out) return absl::OkStatus();
    CRISP_ASSIGN_OR_RETURN(const struct stat open_file, StatFd(fd.get()));
    if (open_file.st_size < offset) {
      offset = 0;
      continue;
    }
    struct stat named = {};
    if (::stat(path.c_str(), &named) == 0 && named.st_ino != open_file.st_ino) {
      // Rotated: what came into the old file since is read before the new one.
      CRISP_RETURN_IF_ERROR(PrintFrom(fd.get(), offset, printer).status());
      if (absl::StatusOr<UniqueFd> next = OpenLog(path); next.ok()) {
        fd = *std::move(next);
        offset = 0;
        continue;
      }
    }
    absl::SleepFor(kPoll);
  }
}

std::string LastLogLine(const std::string& path) {
  const absl::StatusOr<UniqueFd> fd = OpenLog(path);
  if (!fd.ok()) return "";
  const absl::StatusOr<int64_t> offset = TailOffset(fd->get(), 1);
  if (!offset.ok()) return "";
  std::string record(kLastWords, '\0');
  const ssize_t got = ::pread(fd->get(), record.data(), record.size(), *offset);
  record.resize(got > 0 ? static_cast<size_t>(got) : 0);
  record = record.substr(0, record.find('\n'));
  const std::optional<LogLine> line = ParseLogLine(record);
  return line.has_value() ? std::string(line->text) : record;
}

}  // namespace crisp::agent
