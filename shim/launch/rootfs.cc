#include "shim/launch/rootfs.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/mount_options.h"
#include "shim/launch/mount_source.h"
#include "shim/launch/overlay.h"

namespace crisp::shim {
namespace {

absl::StatusOr<UniqueFd> MakeOne(const RootfsMount& mount) {
  CRISP_ASSIGN_OR_RETURN(const MountOptions options,
                         ParseMountOptions(mount.options, /*crisp_options=*/false));
  if (options.bind || mount.type == "bind") {
    CRISP_ASSIGN_OR_RETURN(UniqueFd tree, SysFd(absl::StrCat("open_tree ", mount.source), [&] {
                             return ::open_tree(AT_FDCWD, mount.source.c_str(),
                                                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                                                    (options.recursive_bind ? AT_RECURSIVE : 0));
                           }));
    CRISP_RETURN_IF_ERROR(SetAttributes(tree.get(), {options.attr_set, options.attr_clear}));
    return tree;
  }
  if (mount.type == "overlay") return MakeOverlay(options.data, options.attr_set);
  return NewFilesystem(mount.type, mount.source, options.data, options.attr_set);
}

absl::StatusOr<UniqueFd> CloneRootPath(const ContainerLaunch& request, const Spec& spec) {
  std::string path = spec.root_path.empty() ? "rootfs" : spec.root_path;
  if (path.front() != '/') path = JoinPath(request.bundle, path);
  return SysFd(absl::StrCat("open root.path ", path), [&path] {
    return ::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  });
}

unsigned long PropagationOf(const Spec& spec) {
  return spec.rootfs_propagation.value_or(MS_SLAVE | MS_REC);
}

bool IsShared(unsigned long propagation) { return (propagation & MS_SHARED) != 0; }

absl::Status SetPropagation(int tree, unsigned long wanted) {
  AttributeChange change;
  change.propagation = wanted & ~static_cast<unsigned long>(MS_REC);
  change.recursive = (wanted & MS_REC) != 0;
  return SetAttributes(tree, change);
}

}  // namespace

absl::StatusOr<Rootfs> MakeRootfs(const ContainerLaunch& request, const Spec& spec) {
  Rootfs out;
  for (const RootfsMount& mount : request.rootfs) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd tree, MakeOne(mount));
    if (!out.tree.ok() && mount.target.empty()) {
      out.tree = std::move(tree);
    } else if (!mount.target.empty()) {
      out.below.emplace_back(CleanPath(absl::StrCat("/", mount.target)), std::move(tree));
    } else {
      return absl::InvalidArgumentError("more than one mount for the root itself");
    }
  }
  if (!out.tree.ok()) {
    CRISP_ASSIGN_OR_RETURN(out.tree, CloneRootPath(request, spec));
  }
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("stat root", [&] { return ::fstat(out.tree.get(), &st); }));
  if (!S_ISDIR(st.st_mode)) return ErrnoStatus(ENOTDIR, "root");

  const unsigned long wanted = PropagationOf(spec);
  // A root that is shared cannot be pivoted to.
  const unsigned long now = IsShared(wanted) ? MS_PRIVATE | MS_REC : wanted;
  CRISP_RETURN_IF_ERROR(SetPropagation(out.tree.get(), now));
  for (const auto& [target, tree] : out.below) {
    CRISP_RETURN_IF_ERROR(Annotate(SetPropagation(tree.get(), now), target));
  }
  return out;
}

absl::StatusOr<RootDir> AttachRootfs(Rootfs rootfs) {
  CRISP_RETURN_IF_ERROR(Sys("make the mounts private", [] {
    return ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr);
  }));
  CRISP_RETURN_IF_ERROR(Sys("attach root", [&rootfs] {
    return ::move_mount(rootfs.tree.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
  }));
  RootDir root(std::move(rootfs.tree));
  for (const auto& [target, tree] : rootfs.below) {
    CRISP_ASSIGN_OR_RETURN(const UniqueFd place, root.EnsureDirectory(target));
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("attach ", target), [&, mount = tree.get()] {
      return ::move_mount(mount, "", place.get(), "",
                          MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }));
  }
  return root;
}

absl::Status EnterRootfs(const RootDir& root, bool pivot, const Spec& spec) {
  CRISP_RETURN_IF_ERROR(Sys("fchdir to new root", [&] { return ::fchdir(root.fd()); }));
  if (pivot) {
    // The old root ends up over the new one, where it needs no directory, and is taken
    // off again with all that hangs on it.
    CRISP_RETURN_IF_ERROR(Sys("pivot_root", [] { return ::syscall(SYS_pivot_root, ".", "."); }));
    CRISP_RETURN_IF_ERROR(Sys("detach old root", [] { return ::umount2(".", MNT_DETACH); }));
  } else {
    CRISP_RETURN_IF_ERROR(Sys("chroot", [] { return ::chroot("."); }));
  }
  CRISP_RETURN_IF_ERROR(Sys("chdir to /", [] { return ::chdir("/"); }));
  const unsigned long wanted = PropagationOf(spec);
  return IsShared(wanted) ? SetPropagation(root.fd(), wanted) : absl::OkStatus();
}

}  // namespace crisp::shim
