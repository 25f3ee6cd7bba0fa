#include "shim/launch/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/proc_file.h"

namespace crisp::shim {
namespace {

struct KnownNamespace {
  int type;
  const char* name;  // In an OCI spec.
  const char* file;  // In /proc/<pid>/ns.
};

constexpr KnownNamespace kKnown[] = {
    {CLONE_NEWUSER, "user", "user"},       {CLONE_NEWPID, "pid", "pid"},
    {CLONE_NEWNET, "network", "net"},      {CLONE_NEWIPC, "ipc", "ipc"},
    {CLONE_NEWUTS, "uts", "uts"},          {CLONE_NEWNS, "mount", "mnt"},
    {CLONE_NEWCGROUP, "cgroup", "cgroup"}, {CLONE_NEWTIME, "time", "time"},
};

absl::StatusOr<UniqueFd> Open(const Namespace& ns) {
  const std::string field = absl::StrCat("linux.namespaces[", NamespaceName(ns.type), "]");
  auto fd = SysFd(absl::StrCat("open ", ns.path),
                  [&] { return ::open(ns.path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (!fd.ok()) return Annotate(fd.status(), field);
  if (::ioctl(fd->get(), NS_GET_NSTYPE) != ns.type) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".path: ", ns.path, " is not such a namespace"));
  }
  return fd;
}

bool SameNamespace(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

absl::StatusOr<struct stat> Own(int type) {
  struct stat st = {};
  for (const KnownNamespace& known : kKnown) {
    if (known.type != type) continue;
    const std::string path = absl::StrCat("/proc/self/ns/", known.file);
    CRISP_RETURN_IF_ERROR(
        Sys(absl::StrCat("stat ", path), [&] { return ::stat(path.c_str(), &st); }));
  }
  return st;
}

}  // namespace

const char* NamespaceName(int type) {
  for (const KnownNamespace& known : kKnown) {
    if (known.type == type) return known.name;
  }
  return "unknown";
}

absl::StatusOr<NamespacePlan> PlanNamespaces(const Spec& spec, pid_t mounts_from) {
  NamespacePlan plan;
  for (const Namespace& ns : spec.namespaces) {
    if (ns.path.empty()) {
      if (ns.type == CLONE_NEWCGROUP) {
        plan.make_cgroup = true;
      } else if (ns.type == CLONE_NEWTIME) {
        plan.make_time = true;
      } else if (ns.type != CLONE_NEWNS) {
        plan.clone_flags |= static_cast<uint64_t>(ns.type);
      }
      continue;
    }
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd, Open(ns));
    if (ns.type == CLONE_NEWUSER) {
      struct stat other;
      CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(fd.get(), &other); }));
      CRISP_ASSIGN_OR_RETURN(const struct stat own, Own(CLONE_NEWUSER));
      // To join the one that one is in is an error to the kernel.
      if (!SameNamespace(own, other)) plan.user = std::move(fd);
    } else if (ns.type == CLONE_NEWPID) {
      plan.pid = std::move(fd);
    } else {
      plan.joins.push_back({ns.type, std::move(fd)});
    }
  }
  if (mounts_from != 0) {
    CRISP_ASSIGN_OR_RETURN(plan.mounts_from,
                           OpenHostProc(absl::StrCat(mounts_from, "/ns/mnt"), O_RDONLY));
  }
  return plan;
}

absl::Status JoinNamespace(int fd, int type) {
  return Sys(absl::StrCat("join ", NamespaceName(type), " namespace"),
             [&] { return ::setns(fd, type); });
}

absl::StatusOr<bool> IsApart(const Spec& spec, int type) {
  const Namespace* ns = spec.FindNamespace(type);
  if (ns == nullptr) return false;
  if (ns->path.empty()) return true;
  struct stat other;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", ns->path), [&] { return ::stat(ns->path.c_str(), &other); }));
  CRISP_ASSIGN_OR_RETURN(const struct stat own, Own(type));
  return !SameNamespace(own, other);
}

absl::Status RaiseLoopback() {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd socket, SysFd("socket", [] {
                           return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                         }));
  ifreq request = {};
  std::strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP;
  return Sys("raise the loopback link",
             [&] { return ::ioctl(socket.get(), SIOCSIFFLAGS, &request); });
}

absl::Status MakeTimeNamespace(const std::vector<TimeOffset>& offsets) {
  CRISP_RETURN_IF_ERROR(Sys("make time namespace", [] { return ::unshare(CLONE_NEWTIME); }));
  std::string lines;
  for (const TimeOffset& offset : offsets) {
    absl::StrAppend(&lines, offset.clock, " ", offset.seconds, " ", offset.nanoseconds, "\n");
  }
  return lines.empty() ? absl::OkStatus() : WriteHostProc("self/timens_offsets", lines);
}

}  // namespace crisp::shim
