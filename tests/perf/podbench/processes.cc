#include "tests/perf/podbench/processes.h"

#include <dirent.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {
namespace {

absl::StatusOr<std::vector<pid_t>> AllPids() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
  if (directory == nullptr) return ErrnoStatus(errno, "open /proc");
  std::vector<pid_t> pids;
  while (const dirent* entry = ::readdir(directory.get())) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(entry->d_name, &pid)) pids.push_back(pid);
  }
  return pids;
}

// The fields of /proc/<pid>/stat after the command, which may contain anything:
// field 0 is the state, 1 the parent (proc_pid_stat(5), numbers 3 and 4).
absl::StatusOr<std::vector<std::string>> StatFields(pid_t pid) {
  CRISP_ASSIGN_OR_RETURN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat")));
  const size_t command_end = stat.rfind(')');
  if (command_end == std::string::npos || command_end + 2 >= stat.size()) {
    return absl::InternalError(absl::StrCat("/proc/", pid, "/stat: not as expected"));
  }
  return std::vector<std::string>(absl::StrSplit(stat.substr(command_end + 2), ' '));
}

// By pid, the parent of every process; those that end meanwhile are left out.
absl::StatusOr<std::map<pid_t, pid_t>> Parents() {
  CRISP_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, AllPids());
  std::map<pid_t, pid_t> parents;
  for (const pid_t pid : pids) {
    const auto fields = StatFields(pid);
    pid_t parent = 0;
    if (fields.ok() && fields->size() > 1 && absl::SimpleAtoi((*fields)[1], &parent)) {
      parents[pid] = parent;
    }
  }
  return parents;
}

// The serial number in the environment, or 0.
int SerialOf(pid_t pid) {
  const auto environment = ReadFile(absl::StrCat("/proc/", pid, "/environ"));
  if (!environment.ok()) return 0;
  const std::string prefix = absl::StrCat(kWorkloadVariable, "=");
  for (const absl::string_view entry : absl::StrSplit(*environment, '\0')) {
    int serial = 0;
    if (absl::StartsWith(entry, prefix) && absl::SimpleAtoi(entry.substr(prefix.size()), &serial)) {
      return serial;
    }
  }
  return 0;
}

// A sum over all of the process's mappings.
absl::StatusOr<int64_t> Rollup(pid_t pid, absl::string_view name) {
  const std::string path = absl::StrCat("/proc/", pid, "/smaps_rollup");
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, name)) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() == 3 && absl::SimpleAtoi(words[1], &kib)) return kib * 1024;
  }
  return absl::InternalError(absl::StrCat(path, ": no line ", name));
}

}  // namespace

absl::StatusOr<pid_t> FindWorkload(int serial) {
  // A container that was started may be about to execute its program: what a process was
  // given shows only then.
  const absl::Time deadline = absl::Now() + absl::Seconds(5);
  while (absl::Now() < deadline) {
    CRISP_ASSIGN_OR_RETURN(const auto parents, Parents());
    for (const auto& [pid, parent] : parents) {
      if (SerialOf(pid) == serial && SerialOf(parent) != serial) return pid;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::NotFoundError(absl::StrCat("no process with ", kWorkloadVariable, "=", serial));
}

absl::StatusOr<Overhead> FindOverhead(const std::vector<int>& serials) {
  CRISP_ASSIGN_OR_RETURN(const auto parents, Parents());
  const std::set<int> wanted(serials.begin(), serials.end());
  std::set<pid_t> workloads;
  for (const auto& [pid, parent] : parents) {
    if (wanted.count(SerialOf(pid)) != 0) workloads.insert(pid);
  }
  Overhead overhead;
  for (const pid_t pid : workloads) {
    const pid_t parent = parents.at(pid);
    if (workloads.count(parent) == 0) overhead.shims.insert(parent);
  }
  for (const auto& [pid, parent] : parents) {
    if (overhead.shims.count(parent) != 0 && workloads.count(pid) == 0) {
      overhead.others.insert(pid);
    }
  }
  if (overhead.shims.empty()) return absl::NotFoundError("no pod of this run is there");
  return overhead;
}

absl::StatusOr<int64_t> PssBytes(pid_t pid) { return Rollup(pid, "Pss:"); }

absl::StatusOr<int64_t> RssBytes(pid_t pid) { return Rollup(pid, "Rss:"); }

absl::StatusOr<absl::Duration> CpuTime(pid_t pid) {
  CRISP_ASSIGN_OR_RETURN(const auto fields, StatFields(pid));
  // utime and stime are fields 14 and 15 of the whole line.
  constexpr size_t kUser = 11, kSystem = 12;
  int64_t user = 0, system = 0;
  if (fields.size() <= kSystem || !absl::SimpleAtoi(fields[kUser], &user) ||
      !absl::SimpleAtoi(fields[kSystem], &system)) {
    return absl::InternalError(absl::StrCat("/proc/", pid, "/stat: not as expected"));
  }
  return absl::Seconds(1) * (user + system) / ::sysconf(_SC_CLK_TCK);
}

}  // namespace crisp::podbench
