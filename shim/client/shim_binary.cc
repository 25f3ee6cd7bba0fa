#include "shim/client/shim_binary.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {

absl::StatusOr<ShimBinary> ShimBinary::Open(const std::string& path) {
  constexpr unsigned kFlags =
      static_cast<unsigned>(OPEN_TREE_CLONE) | static_cast<unsigned>(OPEN_TREE_CLOEXEC);
  CRISP_ASSIGN_OR_RETURN(UniqueFd mount, SysFd(absl::StrCat("open_tree ", path), [&] {
                           return ::open_tree(AT_FDCWD, path.c_str(), kFlags);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(mount.get(), &st); }));
  if (!S_ISREG(st.st_mode) || (st.st_mode & S_IXUSR) == 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a program"));
  }
  struct mount_attr attr = {};
  attr.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  attr.propagation = MS_PRIVATE;
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("make a read-only mount of ", path), [&] {
    return ::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attr, sizeof(attr));
  }));
  return ShimBinary(std::move(mount));
}

std::string ShimBinary::exec_path() const {
  // By our pid: a process just forked has our descriptors under numbers of its own.
  return absl::StrCat("/proc/", ::getpid(), "/fd/", mount_.get());
}

}  // namespace crisp::shim
