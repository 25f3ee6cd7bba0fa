#include "shim/launch/capability_names.h"

#include <linux/capability.h>

#include <cstddef>
#include <iterator>

#include "absl/strings/strip.h"

namespace crisp::shim {
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
static_assert(std::size(kNames) == CAP_LAST_CAP + 1);

}  // namespace

int CapabilityByName(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "CAP_")) return -1;
  for (size_t number = 0; number < std::size(kNames); ++number) {
    if (name == kNames[number]) return static_cast<int>(number);
  }
  return -1;
}

}  // namespace crisp::shim
