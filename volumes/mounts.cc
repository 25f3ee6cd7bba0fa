#include "volumes/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::volumes {
namespace {

// More mounts on one point than any crash could stack.
constexpr int kMaxStacked = 64;

// open_tree() flags and the AT_ flags it shares, as one unsigned value.
constexpr unsigned kCloneFlags = static_cast<unsigned>(OPEN_TREE_CLONE) |
                                 static_cast<unsigned>(OPEN_TREE_CLOEXEC) |
                                 static_cast<unsigned>(AT_EMPTY_PATH);

absl::Status SetPropagation(int mount_fd, absl::string_view propagation) {
  if (propagation == "rshared") return absl::OkStatus();
  struct mount_attr attr = {};
  attr.propagation = propagation == "rslave" ? MS_SLAVE : MS_PRIVATE;
  return Sys("set mount propagation",
             [&] { return ::mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)); });
}

}  // namespace

absl::StatusOr<UniqueFd> NewTmpfs(int64_t bytes, mode_t mode) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fs,
                         SysFd("fsopen tmpfs", [] { return ::fsopen("tmpfs", FSOPEN_CLOEXEC); }));
  const auto set = [&fs](const char* key, const std::string& value) {
    return Sys(absl::StrCat("tmpfs option ", key, "=", value),
               [&] { return ::fsconfig(fs.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0); });
  };
  CRISP_RETURN_IF_ERROR(set("source", "crisp-volumes"));
  CRISP_RETURN_IF_ERROR(set("mode", absl::StrFormat("%o", mode)));
  if (bytes > 0) CRISP_RETURN_IF_ERROR(set("size", absl::StrCat(bytes)));
  (void)::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0);
  CRISP_RETURN_IF_ERROR(Sys("create tmpfs", [&] {
    return ::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  }));
  return SysFd("fsmount tmpfs", [&] {
    return ::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  });
}

absl::StatusOr<UniqueFd> CloneMount(int fd, absl::string_view propagation, bool read_only) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd clone,
                         SysFd("open_tree", [&] { return ::open_tree(fd, "", kCloneFlags); }));
  CRISP_RETURN_IF_ERROR(SetPropagation(clone.get(), propagation));
  if (read_only) {
    struct mount_attr attr = {};
    attr.attr_set = MOUNT_ATTR_RDONLY;
    CRISP_RETURN_IF_ERROR(Sys("make mount read-only", [&] {
      return ::mount_setattr(clone.get(), "", AT_EMPTY_PATH, &attr, sizeof(attr));
    }));
  }
  return clone;
}

absl::Status AttachMount(int mount_fd, int target_fd, absl::string_view propagation) {
  CRISP_RETURN_IF_ERROR(Sys("move_mount", [&] {
    return ::move_mount(mount_fd, "", target_fd, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  }));
  // Attaching below a shared mount has made this one shared.
  return SetPropagation(mount_fd, propagation);
}

absl::StatusOr<bool> IsMountRoot(int dirfd, const std::string& name) {
  struct statx stx;
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("statx ", name), [&] {
    return ::statx(dirfd, name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &stx);
  }));
  return (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

absl::Status UnmountAt(int dirfd, const std::string& name) {
  for (int i = 0; i < kMaxStacked; ++i) {
    auto fd = OpenBeneath(dirfd, name, O_PATH | O_NOFOLLOW, Resolve::kNoSymlinks);
    if (!fd.ok()) return ErrnoOf(fd.status()) == ENOENT ? absl::OkStatus() : fd.status();
    struct statx stx;
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("statx ", name),
                              [&] { return ::statx(fd->get(), "", AT_EMPTY_PATH, 0, &stx); }));
    if ((stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) return absl::OkStatus();
    // umount2() has no form that takes a descriptor; this names exactly that mount.
    const std::string link = absl::StrCat("/proc/self/fd/", fd->get());
    CRISP_RETURN_IF_ERROR(
        Sys(absl::StrCat("unmount ", name), [&] { return ::umount2(link.c_str(), MNT_DETACH); }));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("unmount ", name, ": more than ", kMaxStacked, " mounts are stacked there"));
}

}  // namespace crisp::volumes
