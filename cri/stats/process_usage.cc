#include "cri/stats/process_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace crisp::cri {
namespace {

void CountDescriptors(pid_t pid, ProcessUsage* out) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(
      ::opendir(absl::StrCat("/proc/", pid, "/fd").c_str()), &::closedir);
  if (dir == nullptr) return;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] == '.') continue;
    ++out->descriptors;
    char target[16];
    const ssize_t n = ::readlinkat(::dirfd(dir.get()), entry->d_name, target, sizeof(target));
    if (n > 0 && absl::StartsWith(absl::string_view(target, static_cast<size_t>(n)), "socket:")) {
      ++out->sockets;
    }
  }
}

}  // namespace

ProcessUsage ReadProcessUsage(const std::vector<pid_t>& pids) {
  ProcessUsage usage;
  for (const pid_t pid : pids) CountDescriptors(pid, &usage);
  rlimit limit;
  if (!pids.empty() && ::prlimit(pids.front(), RLIMIT_NOFILE, nullptr, &limit) == 0) {
    usage.max_open_files = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  }
  return usage;
}

}  // namespace crisp::cri
