#include "shim/launch/labels.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp::shim {
namespace {

bool HostHasSelinux() { return ::access("/sys/fs/selinux/enforce", F_OK) == 0; }

bool HostHasApparmor() {
  const auto enabled = ReadFile("/sys/module/apparmor/parameters/enabled", 16);
  return enabled.ok() && absl::StartsWith(*enabled, "Y");
}

bool Confines(const std::string& apparmor_profile) {
  return !apparmor_profile.empty() && apparmor_profile != "unconfined";
}

// A write that something else answered would leave the process without its label.
absl::Status WriteAndCheck(const PrivateProc& proc, const std::string& path,
                           const std::string& data, const std::string& expected) {
  CRISP_RETURN_IF_ERROR(proc.Write(path, data));
  CRISP_ASSIGN_OR_RETURN(std::string read, proc.Read(path));
  while (!read.empty() && (read.back() == '\n' || read.back() == '\0')) read.pop_back();
  if (absl::StartsWith(read, expected)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("/proc/", path, " does not hold what was written"));
}

}  // namespace

bool HasLabels(const Process& process) {
  return !process.selinux_label.empty() || !process.apparmor_profile.empty();
}

absl::Status CheckLabels(const Process& process) {
  if (!process.selinux_label.empty() && !HostHasSelinux()) {
    return absl::FailedPreconditionError("process.selinuxLabel: the host has no SELinux");
  }
  if (Confines(process.apparmor_profile) && !HostHasApparmor()) {
    return absl::FailedPreconditionError("process.apparmorProfile: the host has no AppArmor");
  }
  return absl::OkStatus();
}

absl::Status SetExecLabels(const Process& process, const PrivateProc& proc) {
  if (!process.selinux_label.empty()) {
    CRISP_RETURN_IF_ERROR(Annotate(
        WriteAndCheck(proc, "thread-self/attr/exec", process.selinux_label, process.selinux_label),
        "process.selinuxLabel"));
  }
  if (Confines(process.apparmor_profile)) {
    const std::string order = absl::StrCat("exec ", process.apparmor_profile);
    // Kernels from 5.8 on have a directory for AppArmor alone.
    absl::Status status =
        WriteAndCheck(proc, "thread-self/attr/apparmor/exec", order, process.apparmor_profile);
    if (absl::IsNotFound(status)) {
      status = WriteAndCheck(proc, "thread-self/attr/exec", order, process.apparmor_profile);
    }
    CRISP_RETURN_IF_ERROR(Annotate(status, "process.apparmorProfile"));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
