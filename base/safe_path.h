// Paths that cannot leave a directory: every lookup under a tree that someone
// else may write (a rootfs, a volume, a state directory) goes through openat2(2),
// resolved once to a descriptor. Nothing here takes an absolute path twice.
//
// Threads: free functions and immutable values.
// Errors:  errno is kept. ELOOP or EXDEV means that the path tried to leave.
#ifndef CRISP_BASE_SAFE_PATH_H_
#define CRISP_BASE_SAFE_PATH_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp {

// How openat2 treats `..`, absolute paths and symlinks (openat2(2), RESOLVE_*).
enum class Resolve {
  kBeneath,     // Leaving the directory, by symlink or `..`, is an error (EXDEV).
  kInRoot,      // The directory is "/": absolute links and `..` stay inside.
  kNoSymlinks,  // Beneath, and any symlink at all is an error (ELOOP).
};

// Opens `path` below `dirfd`. `flags` as open(2); O_CLOEXEC is added. `mode`
// counts only with O_CREAT. Magic links are never followed. Retries EAGAIN
// (a racing rename) a bounded number of times.
absl::StatusOr<UniqueFd> OpenBeneath(int dirfd, absl::string_view path, int flags,
                                     Resolve resolve = Resolve::kBeneath, mode_t mode = 0);

// Opens a directory given by an absolute path that crisp itself chose.
absl::StatusOr<UniqueFd> OpenDir(const std::string& path);

// Makes the directory `path` below `dirfd` with its parents, one component at a
// time and without following symlinks, and opens it. Directories that exist are
// left as they are; those made get `mode` exactly (umask does not count).
absl::StatusOr<UniqueFd> MakeDirsBeneath(int dirfd, absl::string_view path, mode_t mode);

// mkdir -p for a path that crisp itself chose. A directory made here gets
// `mode` exactly; one that exists keeps its mode.
absl::Status MakeDirs(const std::string& path, mode_t mode);

// Deletes the tree `name` below `dirfd` without following symlinks and without
// crossing into another mount (EXDEV names the mount point). OK if absent.
absl::Status RemoveTreeAt(int dirfd, const std::string& name);
absl::Status RemoveTree(const std::string& path);

// True for a relative path without empty, "." or ".." elements and without NUL.
bool IsCleanRelative(absl::string_view path);

// "a//b/./c/" -> "a/b/c"; keeps a leading "/"; "" -> "."; resolves ".." lexically,
// which is right only for paths without symlinks.
std::string CleanPath(absl::string_view path);

// "/a" + "b" -> "/a/b"; exactly one slash between.
std::string JoinPath(absl::string_view left, absl::string_view right);

}  // namespace crisp

#endif  // CRISP_BASE_SAFE_PATH_H_
