#include "cri/spec/host_facts.h"

#include <dirent.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

constexpr int kCapSysResource = 24;  // linux/capability.h

// The controllers that a v1 hierarchy's mount options may name.
constexpr const char* kV1Controllers[] = {
    "blkio",   "cpu",     "cpuacct",  "cpuset", "devices",    "freezer", "memory",
    "hugetlb", "net_cls", "net_prio", "pids",   "perf_event", "rdma",    "misc",
};

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

absl::Status ProbeCgroups(HostFacts* host) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  bool v2_anywhere = false;
  for (const MountInfo& mount : mounts) {
    if (mount.fs_type == "cgroup2") v2_anywhere = true;
  }
  const MountInfo* top = MountOf(mounts, "/sys/fs/cgroup");
  if (top != nullptr && top->fs_type == "cgroup2") {
    host->cgroup_mode = CgroupMode::kV2;
    CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile("/sys/fs/cgroup/cgroup.controllers"));
    for (absl::string_view name : absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      host->cgroup_controllers.insert(std::string(name));
    }
    // The root group has no limits, so the question is put to our own group; but nor has that
    // one where nobody has handed memory on to it, and a kernel that swaps counts by default.
    CRISP_ASSIGN_OR_RETURN(const std::string own, ReadFile("/proc/self/cgroup"));
    for (absl::string_view line : absl::StrSplit(own, '\n')) {
      if (!absl::ConsumePrefix(&line, "0::/")) continue;
      const std::string group = JoinPath("/sys/fs/cgroup", line);
      host->swap_accounting = Exists(JoinPath(group, "memory.max"))
                                  ? Exists(JoinPath(group, "memory.swap.max"))
                                  : Exists("/proc/swaps");
    }
    return absl::OkStatus();
  }
  host->cgroup_mode = v2_anywhere ? CgroupMode::kHybrid : CgroupMode::kV1;
  for (const MountInfo& mount : mounts) {
    if (mount.fs_type != "cgroup") continue;
    for (absl::string_view option : absl::StrSplit(mount.super_options, ',')) {
      const bool known = std::any_of(std::begin(kV1Controllers), std::end(kV1Controllers),
                                     [&](const char* name) { return option == name; });
      if (!known) continue;
      host->cgroup_controllers.insert(std::string(option));
      if (option == "memory") {
        host->swap_accounting = Exists(JoinPath(mount.mount_point, "memory.memsw.limit_in_bytes"));
      }
    }
  }
  return absl::OkStatus();
}

void ProbeHugepages(HostFacts* host) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/sys/kernel/mm/hugepages"), &::closedir);
  if (dir == nullptr) return;  // A kernel without hugetlb.
  while (const dirent* entry = ::readdir(dir.get())) {
    absl::string_view name = entry->d_name;
    uint64_t kib = 0;
    if (!absl::ConsumePrefix(&name, "hugepages-") || !absl::ConsumeSuffix(&name, "kB") ||
        !absl::SimpleAtoi(name, &kib) || kib == 0) {
      continue;
    }
    const char* unit = "KB";
    if (kib % (1 << 20) == 0) {
      kib >>= 20, unit = "GB";
    } else if (kib % (1 << 10) == 0) {
      kib >>= 10, unit = "MB";
    }
    host->hugepage_sizes.insert(absl::StrCat(kib, unit));
  }
}

absl::Status ProbeCapabilities(HostFacts* host) {
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile("/proc/self/status"));
  uint64_t permitted = 0;
  uint64_t bounding = 0;
  uint64_t effective = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    uint64_t* into = absl::ConsumePrefix(&line, "CapPrm:")   ? &permitted
                     : absl::ConsumePrefix(&line, "CapEff:") ? &effective
                     : absl::ConsumePrefix(&line, "CapBnd:") ? &bounding
                                                             : nullptr;
    if (into != nullptr && !absl::SimpleHexAtoi(absl::StripAsciiWhitespace(line), into)) {
      return absl::InternalError("/proc/self/status: a capability set is not a number");
    }
  }
  host->capability_bounds = permitted & bounding;
  host->can_raise_limits = (effective >> kCapSysResource & 1) != 0;
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseKernelRelease(absl::string_view release, HostFacts* host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(release, absl::MaxSplits('.', 2));
  absl::string_view minor = parts.size() > 1 ? parts[1] : "";
  const auto end =
      std::find_if_not(minor.begin(), minor.end(), [](char c) { return absl::ascii_isdigit(c); });
  minor = minor.substr(0, static_cast<size_t>(end - minor.begin()));
  if (!absl::SimpleAtoi(parts[0], &host->kernel_major) ||
      !absl::SimpleAtoi(minor, &host->kernel_minor)) {
    return absl::InvalidArgumentError(absl::StrCat("not a kernel release: ", release));
  }
  host->kernel_release = std::string(release);
  return absl::OkStatus();
}

absl::StatusOr<HostFacts> ProbeHostFacts() {
  HostFacts host;
  CRISP_RETURN_IF_ERROR(Annotate(ProbeCgroups(&host), "find cgroup controllers"));
  CRISP_RETURN_IF_ERROR(Annotate(ProbeCapabilities(&host), "read own capabilities"));
  ProbeHugepages(&host);

  // A kernel with filters gets as far as reading the program that is not there.
  host.seccomp = ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr) == -1 && errno == EFAULT;
  const auto apparmor = ReadFile("/sys/module/apparmor/parameters/enabled");
  host.apparmor =
      apparmor.ok() && absl::StartsWith(*apparmor, "Y") && Exists("/sys/kernel/security/apparmor");
  host.selinux = Exists("/sys/fs/selinux/enforce");

  CRISP_ASSIGN_OR_RETURN(const std::string oom, ReadFile("/proc/self/oom_score_adj"));
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(oom), &host.oom_score_adj)) {
    return absl::InternalError("/proc/self/oom_score_adj is not a number");
  }
  rlimit nofile = {};
  CRISP_RETURN_IF_ERROR(Sys("getrlimit", [&] { return ::getrlimit(RLIMIT_NOFILE, &nofile); }));
  host.nofile_soft = nofile.rlim_cur;
  host.nofile_hard = nofile.rlim_max;

  utsname uts = {};
  CRISP_RETURN_IF_ERROR(Sys("uname", [&] { return ::uname(&uts); }));
  CRISP_RETURN_IF_ERROR(ParseKernelRelease(uts.release, &host));
  return host;
}

int ClampOomScoreAdj(int wanted, const HostFacts& host) {
  return host.can_raise_limits ? wanted : std::max(wanted, host.oom_score_adj);
}

}  // namespace crisp::cri
