#include "base/capability_names.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace crisp {
namespace {

// By number, as linux/capability.h counts.
constexpr const char* kNames[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
static_assert(std::size(kNames) == kCapabilityCount);

}  // namespace

int CapabilityByName(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "CAP_")) return -1;
  for (int number = 0; number < kCapabilityCount; ++number) {
    if (name == kNames[number]) return number;
  }
  return -1;
}

std::string CapabilityName(int number) { return absl::StrCat("CAP_", kNames[number]); }

}  // namespace crisp
