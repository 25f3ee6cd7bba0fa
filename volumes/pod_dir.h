// The directories and mounts of one pod's volumes: the tree drawn in pod_volumes.h.
//
// The mounts are either the host's, below the pod's directory, or the pod's own: then
// its pause process has made them in its mount namespace, and here they are reached
// through a descriptor of that namespace's root.
//
// Ownership: a handle on <pods_dir>/<sandbox>. Dropping it changes nothing.
// Threads:   the caller serialises changes to one pod.
// Errors:    errno kept.
// Crash:     Remove goes by what is on disk, not by what a process remembers.
#ifndef CRISP_VOLUMES_POD_DIR_H_
#define CRISP_VOLUMES_POD_DIR_H_

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "base/unique_fd.h"

namespace crisp::volumes {

class PodDir {
 public:
  // `disk_dir` may equal `pods_dir`.
  static absl::StatusOr<PodDir> Make(const std::string& pods_dir, const std::string& disk_dir,
                                     const std::string& sandbox_id);
  static absl::StatusOr<PodDir> Open(const std::string& pods_dir, const std::string& disk_dir,
                                     const std::string& sandbox_id);  // NotFound

  // From here on the mounts are those below `root`, a directory descriptor.
  void UseMountsOf(UniqueFd root) { root_ = std::move(root); }
  bool in_pod() const { return root_.ok(); }

  int fd() const { return fd_.get(); }

  // The pod's one tmpfs, on volumes/. FailedPrecondition if the pod should have it
  // mounted and has not.
  absl::Status MountTmpfs(int64_t bytes);

  // A volume of files: an empty directory in the tmpfs, for WriteVolume.
  absl::Status MakeFiles(const std::string& volume, absl::optional<gid_t> group);
  // FailedPrecondition if the tmpfs is no longer mounted.
  absl::StatusOr<UniqueFd> OpenFiles(const std::string& volume) const;
  absl::StatusOr<UniqueFd> OpenMemory(const std::string& volume) const;

  // The versions of a volume of files that subPath mounts are bound from. The kernel
  // refuses to bind a mount further once its root is unlinked (ENOENT), so these
  // stay until their container is released; otherwise an update between Resolve and
  // the container's own bind would fail its start.
  absl::StatusOr<std::set<std::string>> PinnedVersions(const std::string& volume) const;

  // emptyDir: a tmpfs of its own, or a directory on disk.
  absl::Status MakeMemory(const std::string& volume, int64_t bytes, absl::optional<gid_t> group);
  absl::Status MakeDisk(const std::string& volume, absl::optional<gid_t> group);

  // Absolute paths, to bind from; the first within the pod's mounts if it has its own.
  std::string TmpfsPath(const std::string& volume) const;  // Files and memory.
  std::string DiskPath(const std::string& volume) const;
  std::string PathOf(const std::string& relative) const;

  // Unmounts and deletes everything of the pod, its directories last. Idempotent.
  static absl::Status Remove(const std::string& pods_dir, const std::string& disk_dir,
                             const std::string& sandbox_id);

 private:
  PodDir(UniqueFd fd, std::string path, std::string disk_path)
      : fd_(std::move(fd)), path_(std::move(path)), disk_path_(std::move(disk_path)) {}

  int mounts() const { return root_.ok() ? root_.get() : fd_.get(); }

  UniqueFd fd_;
  UniqueFd root_;          // Where volumes/ is, if that is not fd_.
  std::string path_;       // <pods_dir>/<sandbox>
  std::string disk_path_;  // <disk_dir>/<sandbox>
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_POD_DIR_H_
