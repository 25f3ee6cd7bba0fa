#include "shim/launch/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

__user_cap_header_struct Header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

absl::StatusOr<uint64_t> Permitted() {
  __user_cap_header_struct header = Header();
  __user_cap_data_struct data[2] = {};
  CRISP_RETURN_IF_ERROR(Sys("capget", [&] { return ::syscall(SYS_capget, &header, data); }));
  return uint64_t{data[1].permitted} << 32 | data[0].permitted;
}

uint64_t Bounding() {
  uint64_t set = 0;
  for (int number = 0; number < 64; ++number) {
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held == -1) break;  // The kernel's last one is behind us.
    if (held == 1) set |= uint64_t{1} << number;
  }
  return set;
}

}  // namespace

absl::StatusOr<Capabilities> ClampCapabilities(const Capabilities& wanted) {
  CRISP_ASSIGN_OR_RETURN(const uint64_t permitted, Permitted());
  const uint64_t bounding = Bounding();
  Capabilities out = wanted;
  out.bounding &= bounding;
  out.permitted &= permitted;
  out.effective &= out.permitted;
  // The kernel takes no inheritable one from outside the bounding set, and no ambient
  // one that is not both permitted and inheritable.
  out.inheritable &= permitted;
  out.ambient &= out.permitted & out.inheritable;
  return out;
}

absl::Status DropBounding(const Capabilities& sets) {
  for (int number = 0; number < 64; ++number) {
    if ((sets.bounding >> number & 1) != 0) continue;
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held == -1) break;
    if (held == 0) continue;
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("drop capability ", number, " from the bounding set"),
                              [&] { return ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0); }));
  }
  return Sys("keep capabilities", [] { return ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); });
}

absl::Status SetCapabilities(const Capabilities& sets) {
  CRISP_RETURN_IF_ERROR(Sys("clear keepcaps", [] { return ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0); }));
  CRISP_RETURN_IF_ERROR(Sys("clear ambient capabilities", [] {
    return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  }));
  __user_cap_header_struct header = Header();
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    data[half].effective = static_cast<uint32_t>(sets.effective >> (32 * half));
    data[half].permitted = static_cast<uint32_t>(sets.permitted >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(sets.inheritable >> (32 * half));
  }
  CRISP_RETURN_IF_ERROR(Sys("capset", [&] { return ::syscall(SYS_capset, &header, data); }));
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    if ((sets.ambient >> number & 1) == 0) continue;
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("raise ambient capability ", number), [&] {
      return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
    }));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
