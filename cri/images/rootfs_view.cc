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

absl::StatusOr<UniqueFd> CloneOf(const std::string& directory) {
  return SysFd(absl::StrCat("open_tree ", directory), [&] {
    return ::syscall(SYS_open_tree, AT_FDCWD, directory.c_str(),
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  });
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LowerDirsOf(
    const std::vector<containerd::types::Mount>& mounts) {
  if (mounts.size() != 1) {
    return absl::UnimplementedError(
        absl::StrCat("a root filesystem of ", mounts.size(), " mounts"));
  }
  if (mounts[0].type() == "overlay") return LowerDirs(mounts[0]);
  // A view of a single layer is that layer.
  if (mounts[0].type() == "bind") return std::vector<std::string>{mounts[0].source()};
  return absl::UnimplementedError(absl::StrCat("a root filesystem of type ", mounts[0].type()));
}

absl::StatusOr<UniqueFd> OpenRootfsView(const std::vector<containerd::types::Mount>& mounts) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> layers, LowerDirsOf(mounts));
  if (layers.size() == 1) return OpenDir(layers[0]);
  absl::StatusOr<UniqueFd> view = MountDetached(layers);
  if (view.ok() || ErrnoOf(view.status()) != EINVAL) return view;
  return MountInPrivateNamespace(layers);
}

absl::Status MountRootfsView(const std::vector<containerd::types::Mount>& mounts,
                             const std::string& target) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> layers, LowerDirsOf(mounts));
  const auto view = layers.size() == 1 ? CloneOf(layers[0]) : MountDetached(layers);
  if (view.ok()) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    CRISP_RETURN_IF_ERROR(Sys("make the view read-only", [&] {
      return ::syscall(SYS_mount_setattr, view->get(), "", AT_EMPTY_PATH, &attributes,
                       sizeof attributes);
    }));
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("attach the view at ", target), [&] {
      return ::syscall(SYS_move_mount, view->get(), "", AT_FDCWD, target.c_str(),
                       MOVE_MOUNT_F_EMPTY_PATH);
    }));
  } else if (layers.size() > 1 && ErrnoOf(view.status()) == EINVAL) {
    const std::string options = absl::StrCat("lowerdir=", absl::StrJoin(layers, ":"));
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("mount overlay at ", target), [&] {
      return ::mount("overlay", target.c_str(), "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV,
                     options.c_str());
    }));
  } else {
    return view.status();
  }
  // Under a shared parent the new mount is shared too.
  return Sys(absl::StrCat("make ", target, " private"),
             [&] { return ::mount(nullptr, target.c_str(), nullptr, MS_PRIVATE, nullptr); });
}

}  // namespace crisp::cri
