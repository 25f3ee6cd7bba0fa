#include "cri/images/rootfs_view.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

std::vector<std::string> LowerDirs(const containerd::types::Mount& overlay) {
  // The upper directory of an unused snapshot is empty: the lower ones are the
  // whole root.
  for (const std::string& option : overlay.options()) {
    if (absl::StartsWith(option, "lowerdir=")) {
      return absl::StrSplit(option.substr(sizeof("lowerdir=") - 1), ':');
    }
  }
  return {};
}

absl::StatusOr<UniqueFd> MountDetached(const std::vector<std::string>& lower_dirs) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fs, SysFd("fsopen overlay", [] {
                           return ::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
                         }));
  for (const std::string& lower : lower_dirs) {
    CRISP_RETURN_IF_ERROR(Sys("overlay lowerdir+", [&] {
      return ::syscall(SYS_fsconfig, fs.get(), FSCONFIG_SET_STRING, "lowerdir+", lower.c_str(), 0);
    }));
  }
  CRISP_RETURN_IF_ERROR(Sys("make overlay", [&] {
    return ::syscall(SYS_fsconfig, fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  }));
  return SysFd("fsmount overlay", [&] {
    return ::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
  });
}

// Kernels before 6.5 take all lower directories in one mount(2) option only. A
// thread with a mount namespace of its own makes that mount over /tmp; the
// namespace ends with the thread, the descriptor keeps the mount.
absl::StatusOr<UniqueFd> MountInPrivateNamespace(const std::vector<std::string>& lower_dirs) {
  absl::StatusOr<UniqueFd> result = absl::UnknownError("not attempted");
  std::thread thread([&] {
    const auto attempt = [&]() -> absl::StatusOr<UniqueFd> {
      CRISP_RETURN_IF_ERROR(Sys("unshare mounts", [] { return ::unshare(CLONE_NEWNS); }));
      CRISP_RETURN_IF_ERROR(Sys("make mounts private", [] {
        return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      }));
      const std::string options = absl::StrCat("lowerdir=", absl::StrJoin(lower_dirs, ":"));
      CRISP_RETURN_IF_ERROR(Sys("mount overlay", [&] {
        return ::mount("overlay", "/tmp", "overlay", MS_RDONLY, options.c_str());
      }));
      return OpenDir("/tmp");
    };
    result = attempt();
  });
  thread.join();
  return result;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LowerDirsOf(
    const std::vector<containerd::types::Mount>& mounts) {
  if (mounts.size() == 1 && mounts[0].type() == "overlay") return LowerDirs(mounts[0]);
  // A view of a single layer is that layer.
  if (mounts.size() == 1 && mounts[0].type() == "bind") {
    return std::vector<std::string>{mounts[0].source()};
  }
  return absl::UnimplementedError("a root filesystem that is not overlayfs");
}

absl::StatusOr<UniqueFd> OpenRootfsView(const std::vector<containerd::types::Mount>& mounts) {
  if (mounts.size() != 1) {
    return absl::UnimplementedError(
        absl::StrCat("a root filesystem of ", mounts.size(), " mounts"));
  }
  const containerd::types::Mount& mount = mounts[0];
  if (mount.type() == "bind") return OpenDir(mount.source());
  if (mount.type() != "overlay") {
    return absl::UnimplementedError(absl::StrCat("a root filesystem of type ", mount.type()));
  }
  const std::vector<std::string> lower_dirs = LowerDirs(mount);
  if (lower_dirs.size() == 1) return OpenDir(lower_dirs[0]);
  absl::StatusOr<UniqueFd> view = MountDetached(lower_dirs);
  if (view.ok() || ErrnoOf(view.status()) != EINVAL) return view;
  return MountInPrivateNamespace(lower_dirs);
}

}  // namespace crisp::cri
