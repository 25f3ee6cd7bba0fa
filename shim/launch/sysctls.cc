#include "shim/launch/sysctls.h"

#include <sched.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "shim/launch/namespaces.h"

namespace crisp::shim {
namespace {

constexpr const char* kIpcSysctls[] = {
    "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
    "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
};

// "net.ipv4.ip_forward" -> "net/ipv4/ip_forward". As sysctl(8): the first separator is
// the one that counts, so that "net/ipv4/conf/eth0.1/forwarding" keeps its dot.
std::string PathOf(const std::string& name) {
  const size_t separator = name.find_first_of("./");
  if (separator == std::string::npos || name[separator] == '/') return name;
  std::string out = name;
  for (char& c : out) {
    if (c == '.') {
      c = '/';
    } else if (c == '/') {
      c = '.';
    }
  }
  return out;
}

// The kind of namespace that a sysctl belongs to; 0: none, it is the host's.
int NamespaceOf(absl::string_view path) {
  if (absl::StartsWith(path, "net/")) return CLONE_NEWNET;
  if (absl::StartsWith(path, "fs/mqueue/")) return CLONE_NEWIPC;
  if (path == "kernel/domainname") return CLONE_NEWUTS;
  const bool ipc = std::any_of(std::begin(kIpcSysctls), std::end(kIpcSysctls),
                               [&](const char* known) { return path == known; });
  return ipc ? CLONE_NEWIPC : 0;
}

absl::Status Bad(const std::string& name, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("linux.sysctl.", name, ": ", reason));
}

}  // namespace

absl::Status CheckSysctls(const Spec& spec) {
  for (const auto& [name, value] : spec.sysctls) {
    const std::string path = PathOf(name);
    if (!IsCleanRelative(path)) return Bad(name, "is not the name of a sysctl");
    const int type = NamespaceOf(path);
    if (type == 0) return Bad(name, "belongs to no namespace, but to the host");
    CRISP_ASSIGN_OR_RETURN(const bool apart, IsApart(spec, type));
    if (!apart) {
      return Bad(name, absl::StrCat("without a ", NamespaceName(type), " namespace of its own"));
    }
    if (type == CLONE_NEWUTS && !spec.domainname.empty()) {
      return Bad(name, "contradicts domainname");
    }
  }
  return absl::OkStatus();
}

absl::Status WriteSysctls(const Spec& spec, const PrivateProc& proc) {
  for (const auto& [name, value] : spec.sysctls) {
    CRISP_RETURN_IF_ERROR(
        Annotate(proc.Write(absl::StrCat("sys/", PathOf(name)), value), "linux.sysctl.", name));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
