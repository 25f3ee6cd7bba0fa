#include "cgroup/tree.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cgroup/settings.h"

namespace crisp::cgroup {
namespace {

constexpr size_t kMaxFileBytes = 8 << 20;
// A parent that another call makes or removes at the same time is tried again.
constexpr int kMaxRaces = 8;

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// A v1 cpuset takes no process until both lists say something; a new one starts empty.
absl::Status InheritCpuset(const std::string& directory) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    const std::string own = JoinPath(directory, file);
    CRISP_ASSIGN_OR_RETURN(const std::string now, ReadFile(own, kMaxFileBytes));
    if (!absl::StripAsciiWhitespace(now).empty()) continue;
    CRISP_ASSIGN_OR_RETURN(const std::string parents,
                           ReadFile(JoinPath(ParentOf(directory), file), kMaxFileBytes));
    if (absl::StripAsciiWhitespace(parents).empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(ParentOf(directory), " has an empty ", file));
    }
    CRISP_RETURN_IF_ERROR(WriteSetting(own, parents));
  }
  return absl::OkStatus();
}

// mkdir of each element of `path`, the last existing or not.
absl::Status MakeOnce(const std::string& mount_point, const std::string& path, bool cpuset,
                      std::vector<std::string>* made) {
  std::string directory = mount_point;
  for (absl::string_view name : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    directory = JoinPath(directory, name);
    const absl::Status status =
        Sys(absl::StrCat("mkdir ", directory), [&] { return ::mkdir(directory.c_str(), 0755); });
    if (status.ok()) made->push_back(directory);
    if (!status.ok() && ErrnoOf(status) != EEXIST) return status;
    if (cpuset) CRISP_RETURN_IF_ERROR(InheritCpuset(directory));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPath(const std::string& path) {
  if (path.size() < 2 || path[0] != '/' || !IsCleanRelative(path.substr(1)) ||
      path.find('\n') != path.npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not an absolute, clean cgroup path below the root"));
  }
  return absl::OkStatus();
}

absl::Status MakeCgroup(const std::string& mount_point, const std::string& path, bool cpuset,
                        std::vector<std::string>* made) {
  const std::string directory = JoinPath(mount_point, path);
  absl::Status status;
  for (int i = 0; i < kMaxRaces; ++i) {
    // Almost always the parents are there.
    if (::mkdir(directory.c_str(), 0755) == 0) {
      made->push_back(directory);
      status = cpuset ? InheritCpuset(directory) : absl::OkStatus();
      // A parent with an empty list has nothing to give: all are filled from the top.
      if (status.ok()) return status;
    }
    status = MakeOnce(mount_point, path, cpuset, made);
    if (ErrnoOf(status) != ENOENT) return status;
  }
  return status;
}

void EnableControllers(const std::string& unified, const std::string& path) {
  std::string directory = unified;
  for (absl::string_view name : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    const auto have = ReadFile(JoinPath(directory, "cgroup.controllers"), 4096);
    const auto enabled = ReadFile(JoinPath(directory, "cgroup.subtree_control"), 4096);
    if (!have.ok() || !enabled.ok()) return;
    const std::vector<absl::string_view> on =
        absl::StrSplit(absl::StripAsciiWhitespace(*enabled), ' ', absl::SkipEmpty());
    std::vector<std::string> wanted;
    for (absl::string_view name :
         absl::StrSplit(absl::StripAsciiWhitespace(*have), ' ', absl::SkipEmpty())) {
      if (std::find(on.begin(), on.end(), name) == on.end()) {
        wanted.push_back(absl::StrCat("+", name));
      }
    }
    const std::string control = JoinPath(directory, "cgroup.subtree_control");
    if (!wanted.empty() && !WriteSetting(control, absl::StrJoin(wanted, " ")).ok()) {
      // All or none in one write: one that is refused must not take the others along.
      for (const std::string& controller : wanted) (void)WriteSetting(control, controller);
    }
    directory = JoinPath(directory, name);
  }
}

std::vector<std::string> Children(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), &::closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const absl::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

absl::Status Walk(const std::string& directory,
                  const std::function<absl::Status(const std::string& directory)>& visit) {
  const absl::Status there =
      Sys(absl::StrCat("open ", directory), [&] { return ::access(directory.c_str(), F_OK); });
  if (!there.ok()) return ErrnoOf(there) == ENOENT ? absl::OkStatus() : there;
  CRISP_RETURN_IF_ERROR(visit(directory));
  for (const std::string& name : Children(directory)) {
    CRISP_RETURN_IF_ERROR(Walk(JoinPath(directory, name), visit));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<pid_t>> PidsBelow(const std::string& directory) {
  std::vector<pid_t> pids;
  CRISP_RETURN_IF_ERROR(Walk(directory, [&](const std::string& cgroup) -> absl::Status {
    const auto text = ReadFile(JoinPath(cgroup, "cgroup.procs"), kMaxFileBytes);
    // A threaded cgroup of v2 lists its processes at the root of its domain.
    const int err = ErrnoOf(text.status());
    if (err == EOPNOTSUPP || err == ENOENT || err == ENODEV) return absl::OkStatus();
    CRISP_RETURN_IF_ERROR(text.status());
    for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
      pid_t pid;
      // 0 is a process outside the reader's pid namespace.
      if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
    }
    return absl::OkStatus();
  }));
  return pids;
}

absl::Status RemoveBelow(const std::string& directory) {
  std::vector<std::string> directories;
  CRISP_RETURN_IF_ERROR(Walk(directory, [&](const std::string& cgroup) {
    directories.push_back(cgroup);
    return absl::OkStatus();
  }));
  absl::Status first;
  for (auto it = directories.rbegin(); it != directories.rend(); ++it) {
    const absl::Status status =
        Sys(absl::StrCat("rmdir ", *it), [&] { return ::rmdir(it->c_str()); });
    if (!status.ok() && ErrnoOf(status) != ENOENT && first.ok()) first = status;
  }
  return first;
}

}  // namespace crisp::cgroup
