#include "volumes/pod_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/dir_entries.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "volumes/mounts.h"
#include "volumes/pod_record.h"
#include "volumes/sub_path.h"

namespace crisp::volumes {
namespace {

constexpr char kVolumes[] = "volumes";
constexpr char kEmptyDirs[] = "empty-dirs";

absl::StatusOr<UniqueFd> OpenSub(int dirfd, const std::string& name) {
  return OpenBeneath(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
}

// Kubernetes gives a volume's root mode 0777, and with fsGroup that group and the
// set-group-id bit, so that what is made in it belongs to the group also.
absl::Status OwnRoot(int fd, absl::optional<gid_t> group) {
  if (group.has_value()) {
    CRISP_RETURN_IF_ERROR(
        Sys("chgrp volume", [&] { return ::fchown(fd, static_cast<uid_t>(-1), *group); }));
  }
  const mode_t mode = group.has_value() ? 02777 : 0777;
  return Sys("chmod volume", [&] { return ::fchmod(fd, mode); });
}

absl::Status RemoveVolumes(int pod_fd) {
  auto volumes = OpenSub(pod_fd, kVolumes);
  if (!volumes.ok()) {
    return ErrnoOf(volumes.status()) == ENOENT ? absl::OkStatus() : volumes.status();
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(volumes->get()));
  for (const std::string& name : names) {
    CRISP_RETURN_IF_ERROR(UnmountAt(volumes->get(), name));
  }
  CRISP_RETURN_IF_ERROR(UnmountAt(pod_fd, kVolumes));
  // Either the empty mount point of the tmpfs, or a directory that a crash left
  // before the tmpfs was mounted; RemoveTreeAt would not cross a mount.
  return RemoveTreeAt(pod_fd, kVolumes);
}

absl::Status CheckMounted(int dirfd, const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(const bool mounted, IsMountRoot(dirfd, name));
  if (mounted) return absl::OkStatus();
  // Writing on would put secrets on a disk.
  return absl::FailedPreconditionError("the pod's tmpfs is no longer mounted");
}

// Removes <parent>/<sandbox> if nothing else is in it.
absl::Status RemoveIfEmpty(const std::string& path) {
  if (::rmdir(path.c_str()) == 0) return absl::OkStatus();
  if (errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("rmdir ", path));
}

}  // namespace

absl::StatusOr<PodDir> PodDir::Make(const std::string& pods_dir, const std::string& disk_dir,
                                    const std::string& sandbox_id) {
  CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(pods_dir, sandbox_id), 0700));
  return Open(pods_dir, disk_dir, sandbox_id);
}

absl::StatusOr<PodDir> PodDir::Open(const std::string& pods_dir, const std::string& disk_dir,
                                    const std::string& sandbox_id) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, OpenDir(JoinPath(pods_dir, sandbox_id)));
  return PodDir(std::move(fd), JoinPath(pods_dir, sandbox_id), JoinPath(disk_dir, sandbox_id));
}

absl::Status PodDir::MountTmpfs(int64_t bytes) {
  if (in_pod()) return CheckMounted(mounts(), kVolumes);
  CRISP_ASSIGN_OR_RETURN(UniqueFd target, MakeDirsBeneath(fd(), kVolumes, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd tmpfs, NewTmpfs(bytes, 0700));
  return Annotate(AttachMount(tmpfs.get(), target.get(), "private"), "mount the pod's tmpfs");
}

absl::Status PodDir::MakeFiles(const std::string& volume, absl::optional<gid_t> group) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd volumes, OpenSub(mounts(), kVolumes));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeDirsBeneath(volumes.get(), volume, 0700));
  return OwnRoot(dir.get(), group);
}

absl::StatusOr<UniqueFd> PodDir::OpenFiles(const std::string& volume) const {
  CRISP_RETURN_IF_ERROR(CheckMounted(mounts(), kVolumes));
  CRISP_ASSIGN_OR_RETURN(UniqueFd volumes, OpenSub(mounts(), kVolumes));
  return OpenSub(volumes.get(), volume);
}

absl::StatusOr<UniqueFd> PodDir::OpenMemory(const std::string& volume) const {
  CRISP_ASSIGN_OR_RETURN(UniqueFd volumes, OpenSub(mounts(), kVolumes));
  CRISP_RETURN_IF_ERROR(CheckMounted(volumes.get(), volume));
  return OpenSub(volumes.get(), volume);
}

absl::StatusOr<std::set<std::string>> PodDir::PinnedVersions(const std::string& volume) const {
  std::set<std::string> versions;
  if (in_pod()) return versions;  // Each container's start resolves its subPaths anew.
  const std::string places = absl::StrCat("volume-subpaths/", volume);
  const auto any = OpenBeneath(fd(), places, O_PATH | O_NOFOLLOW, Resolve::kNoSymlinks);
  if (!any.ok()) {
    if (ErrnoOf(any.status()) == ENOENT) return versions;
    return any.status();
  }
  // By the sandbox's own part of the path: the kernel shows mount points without the
  // symlinks by which pods_dir may be named (/var/run).
  const std::string within = absl::StrCat(path_.substr(path_.rfind('/')), "/", places, "/");
  CRISP_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  for (const MountInfo& mount : mounts) {
    if (mount.mount_point.find(within) == std::string::npos) continue;
    // "/<volume>/<version>/...", from the tmpfs's root.
    const std::vector<std::string> parts = absl::StrSplit(mount.root, '/');
    if (parts.size() > 2 && parts[1] == volume) versions.insert(parts[2]);
  }
  return versions;
}

absl::Status PodDir::MakeMemory(const std::string& volume, int64_t bytes,
                                absl::optional<gid_t> group) {
  if (in_pod()) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd root, OpenMemory(volume));
    return OwnRoot(root.get(), group);
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd volumes, MakeDirsBeneath(fd(), kVolumes, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd target, MakeDirsBeneath(volumes.get(), volume, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd tmpfs, NewTmpfs(bytes, 0777));
  CRISP_RETURN_IF_ERROR(
      Annotate(AttachMount(tmpfs.get(), target.get(), "private"), "mount emptyDir"));
  CRISP_ASSIGN_OR_RETURN(UniqueFd root, OpenSub(volumes.get(), volume));
  return OwnRoot(root.get(), group);
}

absl::Status PodDir::MakeDisk(const std::string& volume, absl::optional<gid_t> group) {
  CRISP_RETURN_IF_ERROR(MakeDirs(disk_path_, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd pod, OpenDir(disk_path_));
  CRISP_ASSIGN_OR_RETURN(UniqueFd empty_dirs, MakeDirsBeneath(pod.get(), kEmptyDirs, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeDirsBeneath(empty_dirs.get(), volume, 0700));
  return OwnRoot(dir.get(), group);
}

std::string PodDir::TmpfsPath(const std::string& volume) const {
  return absl::StrCat(in_pod() ? "" : path_, "/", kVolumes, "/", volume);
}

std::string PodDir::DiskPath(const std::string& volume) const {
  return absl::StrCat(disk_path_, "/", kEmptyDirs, "/", volume);
}

std::string PodDir::PathOf(const std::string& relative) const { return JoinPath(path_, relative); }

absl::Status PodDir::Remove(const std::string& pods_dir, const std::string& disk_dir,
                            const std::string& sandbox_id) {
  absl::StatusOr<PodDir> dir = Open(pods_dir, disk_dir, sandbox_id);
  if (!dir.ok() && ErrnoOf(dir.status()) != ENOENT) return dir.status();
  if (dir.ok()) {
    // subPath mounts first: they may be clones of what comes next.
    CRISP_RETURN_IF_ERROR(Annotate(RemoveSubPaths(dir->fd(), ""), "remove subPath mounts"));
    CRISP_RETURN_IF_ERROR(Annotate(RemoveVolumes(dir->fd()), "remove volumes"));
  }
  const std::string disk_path = JoinPath(disk_dir, sandbox_id);
  if (absl::StatusOr<UniqueFd> disk = OpenDir(disk_path); disk.ok()) {
    CRISP_RETURN_IF_ERROR(Annotate(RemoveTreeAt(disk->get(), kEmptyDirs), "remove emptyDirs"));
  } else if (ErrnoOf(disk.status()) != ENOENT) {
    return disk.status();
  }
  // The record goes last: as long as anything is left, a restart finds it.
  if (dir.ok()) CRISP_RETURN_IF_ERROR(RemoveRecord(dir->fd()));
  CRISP_RETURN_IF_ERROR(RemoveIfEmpty(disk_path));
  return RemoveIfEmpty(JoinPath(pods_dir, sandbox_id));
}

}  // namespace crisp::volumes
