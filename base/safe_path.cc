#include "base/safe_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp {
namespace {

// A rename that races with the walk makes openat2 fail with EAGAIN; after this
// many the tree is being shuffled on purpose.
constexpr int kMaxRaces = 128;

uint64_t ResolveFlags(Resolve resolve) {
  switch (resolve) {
    case Resolve::kBeneath:
      return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    case Resolve::kInRoot:
      return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    case Resolve::kNoSymlinks:
      return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  }
  return RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
}

absl::StatusOr<uint64_t> MountIdAt(int dirfd, const char* name) {
  struct statx stx;
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("statx ", name), [&] {
    return ::statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH, STATX_MNT_ID,
                   &stx);
  }));
  return stx.stx_mnt_id;
}

// A container can nest directories without bound, and each level held open costs two
// descriptors and a stack frame.
constexpr int kMaxDepth = 64;

struct Removal {
  uint64_t mount_id = 0;
  int root = -1;  // The top of the tree while it is being removed.
  int hoisted = 0;
};

// Moves a directory that lies too deep to the top, where the next pass finds it.
absl::Status Hoist(int dirfd, const std::string& name, Removal& removal) {
  while (true) {
    const std::string to = absl::StrCat(".crisp-remove-", ++removal.hoisted);
    if (::renameat2(dirfd, name.c_str(), removal.root, to.c_str(), RENAME_NOREPLACE) == 0 ||
        errno == ENOENT) {
      return absl::OkStatus();
    }
    if (errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("rename ", name));
  }
}

absl::Status RemoveTreeOnMount(int dirfd, const std::string& name, Removal& removal, int depth) {
  if (::unlinkat(dirfd, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EISDIR && errno != EPERM) {
    return ErrnoStatus(errno, absl::StrCat("unlink ", name));
  }
  if (depth == kMaxDepth) return Hoist(dirfd, name, removal);
  auto dir = OpenBeneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
  if (!dir.ok()) {
    return ErrnoOf(dir.status()) == ENOENT ? absl::OkStatus() : dir.status();
  }
  CRISP_ASSIGN_OR_RETURN(const uint64_t here, MountIdAt(dir->get(), ""));
  if (here != removal.mount_id) {
    return ErrnoStatus(EXDEV, absl::StrCat("remove ", name, ", a mount point"));
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd list_fd,
                         SysFd("dup", [&] { return ::fcntl(dir->get(), F_DUPFD_CLOEXEC, 3); }));
  std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(list_fd.get()), &::closedir);
  if (list == nullptr) return ErrnoStatus(errno, absl::StrCat("list ", name));
  (void)list_fd.release();
  if (depth == 0) removal.root = dir->get();
  while (const dirent* entry = ::readdir(list.get())) {
    const absl::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    CRISP_RETURN_IF_ERROR(
        Annotate(RemoveTreeOnMount(dir->get(), std::string(child), removal, depth + 1), name));
  }
  if (::unlinkat(dirfd, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("rmdir ", name));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenBeneath(int dirfd, absl::string_view path, int flags, Resolve resolve,
                                     mode_t mode) {
  const std::string name(path);
  if (name.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("path contains a NUL byte");
  }
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = ResolveFlags(resolve);
  for (int race = 0;; ++race) {
    auto fd = SysFd(absl::StrCat("open ", name),
                    [&] { return ::syscall(SYS_openat2, dirfd, name.c_str(), &how, sizeof(how)); });
    if (fd.ok() || ErrnoOf(fd.status()) != EAGAIN || race == kMaxRaces) return fd;
  }
}

absl::StatusOr<UniqueFd> OpenDir(const std::string& path) {
  return SysFd(absl::StrCat("open directory ", path),
               [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
}

absl::StatusOr<UniqueFd> MakeDirsBeneath(int dirfd, absl::string_view path, mode_t mode) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir,
                         OpenBeneath(dirfd, ".", O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks));
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    const std::string name(part);
    if (name == ".") continue;
    if (name == "..") {
      return absl::InvalidArgumentError(absl::StrCat("path ", path, " contains '..'"));
    }
    const bool made = ::mkdirat(dir.get(), name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("mkdir ", path));
    CRISP_ASSIGN_OR_RETURN(
        UniqueFd next,
        OpenBeneath(dir.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks));
    if (made) {
      CRISP_RETURN_IF_ERROR(
          Sys(absl::StrCat("chmod ", path), [&] { return ::fchmod(next.get(), mode); }));
    }
    dir = std::move(next);
  }
  return dir;
}

absl::Status MakeDirs(const std::string& path, mode_t mode) {
  std::string built;
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    absl::StrAppend(&built, part);
    if (!built.empty() && ::mkdir(built.c_str(), 0700) == 0) {
      CRISP_RETURN_IF_ERROR(
          Sys(absl::StrCat("chmod ", built), [&] { return ::chmod(built.c_str(), mode); }));
    } else if (!built.empty() && errno != EEXIST) {
      return ErrnoStatus(errno, absl::StrCat("mkdir ", built));
    }
    built.push_back('/');
  }
  return absl::OkStatus();
}

absl::Status RemoveTreeAt(int dirfd, const std::string& name) {
  struct stat st;
  if (::fstatat(dirfd, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == -1) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("stat ", name));
  }
  Removal removal;
  CRISP_ASSIGN_OR_RETURN(removal.mount_id, MountIdAt(dirfd, ""));
  while (true) {
    const int before = removal.hoisted;
    const absl::Status status = RemoveTreeOnMount(dirfd, name, removal, 0);
    // What a pass hoisted keeps the top from being empty; the next pass gets it.
    const bool again = removal.hoisted != before && ErrnoOf(status) == ENOTEMPTY;
    if (!again) return status;
  }
}

absl::Status RemoveTree(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash + 1 == path.size()) {
    return absl::InvalidArgumentError(absl::StrCat("not an absolute clean path: '", path, "'"));
  }
  auto parent = OpenDir(slash == 0 ? "/" : path.substr(0, slash));
  if (!parent.ok()) {
    return ErrnoOf(parent.status()) == ENOENT ? absl::OkStatus() : parent.status();
  }
  return Annotate(RemoveTreeAt(parent->get(), path.substr(slash + 1)), "remove ", path);
}

bool IsCleanRelative(absl::string_view path) {
  if (path.empty() || path.find('\0') != absl::string_view::npos) return false;
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

std::string CleanPath(absl::string_view path) {
  const bool absolute = !path.empty() && path.front() == '/';
  std::vector<absl::string_view> parts;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!absolute) {
      parts.push_back(part);
    }
  }
  const std::string joined = absl::StrJoin(parts, "/");
  if (absolute) return absl::StrCat("/", joined);
  return joined.empty() ? "." : joined;
}

std::string JoinPath(absl::string_view left, absl::string_view right) {
  while (!left.empty() && left.back() == '/') left.remove_suffix(1);
  while (!right.empty() && right.front() == '/') right.remove_prefix(1);
  return absl::StrCat(left, "/", right);
}

}  // namespace crisp
