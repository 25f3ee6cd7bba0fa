#include "tests/perf/podbench/logs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "tests/perf/podbench/pods.h"
#include "tests/perf/podbench/processes.h"

namespace crisp::podbench {
namespace {

constexpr size_t kLineBytes = 100;
constexpr absl::Duration kTimeout = absl::Minutes(2);

// Before its 100 bytes a log line has a time, a stream and a tag.
constexpr size_t kLeastPrefix = sizeof("2006-01-02T15:04:05Z stdout F ") - 1;

absl::Status WriteLines(const std::string& path, size_t lines) {
  std::string text;
  const std::string line = std::string(kLineBytes - 1, 'x') + "\n";
  for (size_t i = 0; i < lines; ++i) text += line;
  return WriteFileAtomic(path, text, 0644);
}

absl::StatusOr<size_t> CountLines(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd,
                         SysFd(path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  std::string buffer(1 << 20, '\0');
  size_t lines = 0;
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const ssize_t n, SysValue(path, [&] {
                             return ::read(fd.get(), buffer.data(), buffer.size());
                           }));
    if (n == 0) return lines;
    lines += static_cast<size_t>(std::count(buffer.begin(), buffer.begin() + n, '\n'));
  }
}

int64_t SizeOf(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_size : 0;
}

absl::StatusOr<absl::Duration> CpuOf(const std::set<pid_t>& pids) {
  absl::Duration sum;
  for (const pid_t pid : pids) {
    CRISP_ASSIGN_OR_RETURN(const absl::Duration time, CpuTime(pid));
    sum += time;
  }
  return sum;
}

// Until the log has all lines. Its size is looked at often, its lines rarely: counting
// reads the whole file.
absl::Status AwaitLines(const std::string& path, size_t lines) {
  const Clock* clock = Clock::Real();
  const absl::Duration start = clock->Steady();
  const auto enough = static_cast<int64_t>(lines * (kLineBytes + kLeastPrefix));
  while (clock->Steady() - start < kTimeout) {
    if (SizeOf(path) >= enough) {
      CRISP_ASSIGN_OR_RETURN(const size_t found, CountLines(path));
      if (found == lines) return absl::OkStatus();
      if (found > lines) {
        return absl::DataLossError(absl::StrCat(path, " has ", found, " lines, not ", lines));
      }
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  return absl::DeadlineExceededError(absl::StrCat(path, " does not get all its lines"));
}

}  // namespace

absl::StatusOr<LogThroughput> MeasureLogs(Target& target, const PodOptions& base, int megabytes,
                                          const std::string& scratch) {
  const size_t lines = (static_cast<size_t>(megabytes) << 20) / kLineBytes;
  const std::string data = JoinPath(scratch, "data");
  const std::string logs = JoinPath(scratch, absl::StrCat("logs-", target.name()));
  CRISP_RETURN_IF_ERROR(MakeDirs(data, 0755));
  CRISP_RETURN_IF_ERROR(MakeDirs(logs, 0755));
  CRISP_RETURN_IF_ERROR(WriteLines(JoinPath(data, "lines"), lines));
  const std::string log = JoinPath(logs, kLogFile);
  if (::unlink(log.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, log);

  PodOptions options = base;
  options.log_directory = logs;
  options.data_directory = data;
  // It starts on a signal, so that the time of the start does not count.
  options.command = {"/bin/sh", "-c",
                     "go() { cat /data/lines; }; trap go USR1; "
                     "while :; do sleep 3600 & wait; done"};
  Pods pods(&target);
  CRISP_RETURN_IF_ERROR(pods.Start(options));
  absl::SleepFor(absl::Milliseconds(300));  // The trap is set, the start is over.
  CRISP_ASSIGN_OR_RETURN(const pid_t workload, FindWorkload(pods.serials().front()));
  CRISP_ASSIGN_OR_RETURN(const Overhead overhead, FindOverhead(pods.serials()));
  std::set<pid_t> runtime = overhead.shims;
  CRISP_ASSIGN_OR_RETURN(const pid_t server, target.ServerPid());
  runtime.insert(server);

  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_before, CpuOf(runtime));
  const absl::Duration start = Clock::Real()->Steady();
  CRISP_RETURN_IF_ERROR(Sys("kill", [&] { return ::kill(workload, SIGUSR1); }));
  CRISP_RETURN_IF_ERROR(AwaitLines(log, lines));
  const absl::Duration took = Clock::Real()->Steady() - start;
  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_after, CpuOf(runtime));
  // The clock of CpuTime ticks a hundred times a second.
  const absl::Duration cpu = std::max(cpu_after - cpu_before, absl::Milliseconds(10));
  const auto bytes = static_cast<double>(lines * kLineBytes);
  return LogThroughput{.bytes_per_cpu_second = bytes / absl::ToDoubleSeconds(cpu),
                       .bytes_per_second = bytes / absl::ToDoubleSeconds(took)};
}

}  // namespace crisp::podbench
