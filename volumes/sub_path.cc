#include "volumes/sub_path.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/dir_entries.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "volumes/mounts.h"

namespace crisp::volumes {
namespace {

constexpr char kDir[] = "volume-subpaths";

absl::StatusOr<struct stat> StatFd(int fd) {
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(fd, &st); }));
  return st;
}

// Opens the directory `name` in `dir`, made with exactly `mode` if absent. Made
// under a name of its own and renamed, so that neither a crash nor a container that
// makes the same one leaves a directory with another mode.
absl::StatusOr<UniqueFd> MakeOneDir(int dir, const std::string& name, mode_t mode) {
  const std::string temporary = absl::StrCat(".crisp-subpath-", RandomHex(12));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("mkdir ", name), [&] { return ::mkdirat(dir, temporary.c_str(), 0700); }));
  auto discard = absl::MakeCleanup([&] { (void)::unlinkat(dir, temporary.c_str(), AT_REMOVEDIR); });
  CRISP_ASSIGN_OR_RETURN(UniqueFd made,
                         OpenBeneath(dir, temporary, O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("chmod ", name), [&] { return ::fchmod(made.get(), mode); }));
  if (::renameat2(dir, temporary.c_str(), dir, name.c_str(), RENAME_NOREPLACE) == 0) {
    std::move(discard).Cancel();
  } else if (errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("mkdir ", name));
  }
  // Opened again by its name: whoever may write to the volume may have put
  // something else there, and a link is not followed.
  return OpenBeneath(dir, name, O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks);
}

absl::StatusOr<UniqueFd> MakeSubPath(int root_fd, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const struct stat root, StatFd(root_fd));
  const mode_t mode = root.st_mode & 07777;
  std::vector<std::string> parts = absl::StrSplit(path, '/');
  // The longest part of the path that exists, by following links that stay beneath.
  UniqueFd dir;
  size_t have = parts.size() - 1;
  for (;; --have) {
    const std::string prefix =
        have == 0 ? "."
                  : absl::StrJoin(parts.begin(), parts.begin() + static_cast<long>(have), "/");
    auto opened = OpenBeneath(root_fd, prefix, O_PATH | O_DIRECTORY);
    if (opened.ok()) {
      dir = *std::move(opened);
      break;
    }
    if (ErrnoOf(opened.status()) != ENOENT || have == 0) return opened.status();
  }
  for (size_t i = have; i < parts.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(dir, MakeOneDir(dir.get(), parts[i], mode));
  }
  return dir;
}

// The directory <volume>/<container>, made if absent.
absl::StatusOr<UniqueFd> MakeContainerDir(int pod_fd, const SubPathPlace& place) {
  for (const std::string& part : {place.volume, place.container}) {
    if (!IsCleanRelative(part) || part.find('/') != std::string::npos) {
      return absl::InvalidArgumentError("subPath: volume or container is not one path element");
    }
  }
  return MakeDirsBeneath(pod_fd, absl::StrCat(kDir, "/", place.volume, "/", place.container), 0750);
}

absl::Status RemoveAt(int dir, const std::string& name, bool is_dir) {
  if (::unlinkat(dir, name.c_str(), is_dir ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("remove ", name));
}

// Unmounts and removes one placeholder. What is below it is never touched: were it
// still mounted, that would be the volume's data.
absl::Status RemovePlaceholder(int dir, const std::string& name) {
  CRISP_RETURN_IF_ERROR(UnmountAt(dir, name));
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EISDIR && errno != EPERM) {
    return ErrnoStatus(errno, absl::StrCat("remove ", name));
  }
  return RemoveAt(dir, name, /*is_dir=*/true);
}

// Makes the empty placeholder of the kind that the source is, and opens it.
absl::StatusOr<UniqueFd> MakePlaceholder(int dir, const std::string& name, bool is_dir) {
  const auto make = [&] {
    if (is_dir) return ::mkdirat(dir, name.c_str(), 0750);
    const int fd = ::openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd >= 0) ::close(fd);
    return fd >= 0 ? 0 : -1;
  };
  if (make() == -1) {
    if (errno != EEXIST) return ErrnoStatus(errno, "make subPath placeholder");
    // Left by a call that failed or crashed; its kind may differ now.
    CRISP_RETURN_IF_ERROR(RemovePlaceholder(dir, name));
    CRISP_RETURN_IF_ERROR(Sys("make subPath placeholder", make));
  }
  return OpenBeneath(dir, name, O_PATH | O_NOFOLLOW, Resolve::kNoSymlinks);
}

// Whether the placeholder is mounted and shows the inode of `source`.
absl::StatusOr<bool> ShowsSource(int dir, const std::string& name, const struct stat& source) {
  const absl::StatusOr<bool> mounted = IsMountRoot(dir, name);
  if (!mounted.ok()) {
    if (ErrnoOf(mounted.status()) == ENOENT) return false;
    return mounted.status();
  }
  struct stat st;
  if (!*mounted || ::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == -1) return false;
  return st.st_dev == source.st_dev && st.st_ino == source.st_ino;
}

void PruneContainerDir(int pod_fd, const SubPathPlace& place) {
  const std::string volume = absl::StrCat(kDir, "/", place.volume);
  // Each fails, as it shall, when something else is still in it.
  (void)::unlinkat(pod_fd, absl::StrCat(volume, "/", place.container).c_str(), AT_REMOVEDIR);
  (void)::unlinkat(pod_fd, volume.c_str(), AT_REMOVEDIR);
  (void)::unlinkat(pod_fd, kDir, AT_REMOVEDIR);
}

absl::Status RemoveContainerDir(int volume_fd, const std::string& container) {
  auto dir =
      OpenBeneath(volume_fd, container, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
  if (!dir.ok()) {
    if (ErrnoOf(dir.status()) == ENOENT) return absl::OkStatus();
    return Annotate(dir.status(), "subPath of container ", container);
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(dir->get()));
  for (const std::string& name : names) {
    CRISP_RETURN_IF_ERROR(RemovePlaceholder(dir->get(), name));
  }
  return RemoveAt(volume_fd, container, /*is_dir=*/true);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenSubPath(int root_fd, const std::string& path, bool make) {
  auto fd = OpenBeneath(root_fd, path, O_PATH);
  if (fd.ok() || !make || ErrnoOf(fd.status()) != ENOENT) return fd;
  CRISP_RETURN_IF_ERROR(MakeSubPath(root_fd, path).status());
  return OpenBeneath(root_fd, path, O_PATH);
}

absl::StatusOr<SubPathMount> BindSubPath(int pod_fd, const SubPathPlace& place, int source_fd,
                                         absl::string_view propagation, bool read_only) {
  CRISP_ASSIGN_OR_RETURN(const struct stat source, StatFd(source_fd));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeContainerDir(pod_fd, place));
  const std::string name = absl::StrCat(place.index);
  SubPathMount out;
  out.is_file = !S_ISDIR(source.st_mode);
  out.relative_path = absl::StrCat(kDir, "/", place.volume, "/", place.container, "/", name);
  CRISP_ASSIGN_OR_RETURN(const bool reuse, ShowsSource(dir.get(), name, source));
  if (reuse) return out;
  auto undo = absl::MakeCleanup([&] {
    (void)RemovePlaceholder(dir.get(), name);
    PruneContainerDir(pod_fd, place);
  });
  CRISP_ASSIGN_OR_RETURN(UniqueFd placeholder, MakePlaceholder(dir.get(), name, !out.is_file));
  CRISP_ASSIGN_OR_RETURN(UniqueFd mount, CloneMount(source_fd, propagation, read_only));
  CRISP_RETURN_IF_ERROR(AttachMount(mount.get(), placeholder.get(), propagation));
  std::move(undo).Cancel();
  return out;
}

absl::Status RemoveSubPaths(int pod_fd, const std::string& container) {
  auto root = OpenBeneath(pod_fd, kDir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
  if (!root.ok()) {
    return ErrnoOf(root.status()) == ENOENT ? absl::OkStatus() : root.status();
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> volumes, DirEntries(root->get()));
  absl::Status result;
  for (const std::string& volume : volumes) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd volume_fd,
                           OpenBeneath(root->get(), volume, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                       Resolve::kNoSymlinks));
    std::vector<std::string> containers = {container};
    if (container.empty()) {
      CRISP_ASSIGN_OR_RETURN(containers, DirEntries(volume_fd.get()));
    }
    for (const std::string& each : containers) {
      result.Update(RemoveContainerDir(volume_fd.get(), each));
    }
    (void)::unlinkat(root->get(), volume.c_str(), AT_REMOVEDIR);  // If it is empty now.
  }
  (void)::unlinkat(pod_fd, kDir, AT_REMOVEDIR);
  return result;
}

}  // namespace crisp::volumes
