#include "netns/net_ns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "netns/in_netns.h"
#include "netns/rtnl.h"

namespace crisp::netns {
namespace {

// More mounts than this stacked on one file are nobody's accident.
constexpr int kMaxStackedMounts = 64;

absl::Status Enter(const std::string& from) {
  if (from.empty()) {
    return Sys("unshare network namespace", [] { return ::unshare(CLONE_NEWNET); });
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, SysFd(absl::StrCat("open ", from), [&] {
                           return ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
                         }));
  return Sys("enter network namespace", [&] { return ::setns(fd.get(), CLONE_NEWNET); });
}

// On a thread of its own: enters the namespace, prepares it and mounts it on `name` below
// `dir`.
absl::Status PinNamespace(int dir, const std::string& name, const std::string& from) {
  CRISP_RETURN_IF_ERROR(Enter(from));
  CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
  CRISP_ASSIGN_OR_RETURN(const Link loopback, rtnl.FindLink("lo"));
  CRISP_RETURN_IF_ERROR(rtnl.SetUp(loopback.index));
  CRISP_ASSIGN_OR_RETURN(UniqueFd tree, SysFd("clone namespace mount", [] {
                           return ::open_tree(AT_FDCWD, "/proc/thread-self/ns/net",
                                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
                         }));
  return Sys(absl::StrCat("mount namespace on ", name), [&] {
    return ::move_mount(tree.get(), "", dir, name.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
  });
}

}  // namespace

std::string NetNs::PathFor(const std::string& dir, const std::string& sandbox_id) {
  return JoinPath(dir, sandbox_id);
}

bool NetNs::IsPinned(const std::string& path) {
  struct statfs fs;
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

absl::StatusOr<NetNs> NetNs::Create(const std::string& dir, const std::string& sandbox_id,
                                    const std::string& from) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("sandbox id", sandbox_id));
  CRISP_RETURN_IF_ERROR(MakeDirs(dir, 0755));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir_fd, OpenDir(dir));
  const std::string path = PathFor(dir, sandbox_id);
  auto file = OpenBeneath(dir_fd.get(), sandbox_id, O_RDONLY | O_CREAT | O_EXCL,
                          Resolve::kNoSymlinks, 0444);
  if (ErrnoOf(file.status()) == EEXIST) {
    if (IsPinned(path)) {
      return absl::AlreadyExistsError(
          absl::StrCat("a network namespace is pinned at ", path, " already"));
    }
    // The file of a process that died before its mount, or of an earlier boot.
    CRISP_RETURN_IF_ERROR(Remove(path));
    file = OpenBeneath(dir_fd.get(), sandbox_id, O_RDONLY | O_CREAT | O_EXCL, Resolve::kNoSymlinks,
                       0444);
  }
  CRISP_RETURN_IF_ERROR(Annotate(file.status(), "create ", path));
  auto undo = absl::MakeCleanup([&path] { (void)Remove(path); });
  CRISP_RETURN_IF_ERROR(Annotate(
      RunOnThread([&] { return PinNamespace(dir_fd.get(), sandbox_id, from); }), "pin ", path));
  std::move(undo).Cancel();
  return NetNs(path);
}

absl::Status NetNs::Remove(const std::string& path) {
  for (int i = 0; i < kMaxStackedMounts; ++i) {
    const absl::Status status = Sys(absl::StrCat("unmount ", path), [&] {
      return ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    });
    if (status.ok()) continue;
    // EINVAL: no mount stands there (any more).
    if (ErrnoOf(status) == EINVAL) break;
    if (ErrnoOf(status) == ENOENT) return absl::OkStatus();
    return status;
  }
  const absl::Status status =
      Sys(absl::StrCat("delete ", path), [&] { return ::unlink(path.c_str()); });
  return ErrnoOf(status) == ENOENT ? absl::OkStatus() : status;
}

}  // namespace crisp::netns
