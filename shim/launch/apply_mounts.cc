#include "shim/launch/apply_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/mount_source.h"
#include "shim/launch/overlay.h"

namespace crisp::shim {
namespace {

using Kind = PlannedMount::Kind;

absl::StatusOr<bool> IsDirectory(int fd) {
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(fd, &st); }));
  return S_ISDIR(st.st_mode);
}

absl::StatusOr<UniqueFd> OpenNull() {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd("open /dev/null", [] {
                           return ::open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("stat /dev/null", [&] { return ::fstat(fd.get(), &st); }));
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
    return absl::FailedPreconditionError("the host's /dev/null is not the null device");
  }
  return CloneNode(fd.get());
}

// Where a mount goes. Procfs and sysfs only ever onto a directory that no link led to:
// later writes to what is below rely on their being there.
absl::StatusOr<UniqueFd> OpenPlace(const PlannedMount& mount, const RootDir& root, bool directory) {
  if (!mount.plain_directory) {
    return directory ? root.EnsureDirectory(mount.destination) : root.EnsureFile(mount.destination);
  }
  auto place = root.OpenPlain(mount.destination, O_PATH | O_DIRECTORY);
  if (ErrnoOf(place.status()) == ENOENT) {
    CRISP_RETURN_IF_ERROR(root.EnsureDirectory(mount.destination).status());
    place = root.OpenPlain(mount.destination, O_PATH | O_DIRECTORY);
  }
  const int err = ErrnoOf(place.status());
  if (err != ELOOP && err != ENOTDIR && err != EXDEV) return place;
  return ErrnoStatus(err, absl::StrCat(mount.fs_type, " is mounted on an ordinary directory only"));
}

absl::Status AttachCgroups(const PlannedMount& mount, const std::vector<UniqueFd>& trees,
                           int tmpfs) {
  for (size_t i = 0; i < trees.size(); ++i) {
    const std::string& name = mount.cgroup_binds[i].first;
    CRISP_ASSIGN_OR_RETURN(const UniqueFd place, MakeDirsBeneath(tmpfs, name, 0755));
    CRISP_RETURN_IF_ERROR(Annotate(Attach(trees[i].get(), place.get()), name));
  }
  for (const auto& [name, target] : mount.cgroup_links) {
    if (::symlinkat(target.c_str(), tmpfs, name.c_str()) == -1 && errno != EEXIST) {
      return ErrnoStatus(errno, absl::StrCat("link ", name));
    }
  }
  return absl::OkStatus();
}

// What is below `subpath` of an overlay, cloned. A mount that is attached nowhere can be
// cloned by newer kernels only: it is attached at `place` for a moment.
absl::StatusOr<UniqueFd> SubtreeOf(const PlannedMount& mount, int tree, int place) {
  CRISP_RETURN_IF_ERROR(Attach(tree, place));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd below,
                         OpenBeneath(tree, mount.options.subpath, O_PATH | O_DIRECTORY));
  CRISP_ASSIGN_OR_RETURN(UniqueFd clone, CloneFd(below.get(), /*recursive=*/false));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd before, SysFd("open working directory", [] {
                           return ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(Sys("chdir to overlay", [&] { return ::fchdir(tree); }));
  CRISP_RETURN_IF_ERROR(Sys("detach overlay", [] { return ::umount2(".", MNT_DETACH); }));
  CRISP_RETURN_IF_ERROR(Sys("chdir back", [&] { return ::fchdir(before.get()); }));
  return clone;
}

absl::Status AttachOne(const PlannedMount& mount, std::vector<UniqueFd>* trees, const RootDir& root,
                       ReadonlyLater* later) {
  UniqueFd tree;
  switch (mount.kind) {
    case Kind::kBind:
    case Kind::kOverlay:
      tree = std::move(trees->front());
      break;
    case Kind::kFilesystem: {
      CRISP_ASSIGN_OR_RETURN(tree, MakeFilesystem(mount));
      break;
    }
    case Kind::kCgroup1: {
      CRISP_ASSIGN_OR_RETURN(
          tree, NewFilesystem("tmpfs", "cgroup", {"mode=755"},
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
      break;
    }
  }
  CRISP_ASSIGN_OR_RETURN(const bool directory, IsDirectory(tree.get()));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd place, OpenPlace(mount, root, directory));
  if (mount.kind == Kind::kOverlay && !mount.options.subpath.empty()) {
    CRISP_ASSIGN_OR_RETURN(tree, SubtreeOf(mount, tree.get(), place.get()));
  }
  CRISP_RETURN_IF_ERROR(Attach(tree.get(), place.get()));
  if (mount.kind == Kind::kCgroup1) {
    CRISP_RETURN_IF_ERROR(AttachCgroups(mount, *trees, tree.get()));
  }
  if (mount.readonly_last) later->push_back(std::move(tree));
  return absl::OkStatus();
}

// Directories are hidden by one empty tmpfs, files by the null device: each place gets a
// clone of the first, which is in the namespace by then.
class Masks {
 public:
  explicit Masks(int dev_null) : dev_null_(dev_null) {}

  absl::Status Put(const UniqueFd& place) {
    CRISP_ASSIGN_OR_RETURN(const bool directory, IsDirectory(place.get()));
    if (!directory) return PutClone(dev_null_, &null_attached_, place.get());
    if (!empty_.ok()) {
      CRISP_ASSIGN_OR_RETURN(empty_, MakeEmpty());
    }
    return PutClone(empty_.get(), &empty_attached_, place.get());
  }

 private:
  static absl::StatusOr<UniqueFd> MakeEmpty() {
    constexpr uint64_t kAttributes = MOUNT_ATTR_RDONLY;
    auto fs = NewFilesystem("tmpfs", "tmpfs", {"nr_blocks=1", "nr_inodes=1"}, kAttributes);
    // Kernels that need an inode more for the tmpfs itself say ENOSPC or EINVAL.
    if (fs.ok()) return fs;
    return NewFilesystem("tmpfs", "tmpfs", {"nr_blocks=1", "nr_inodes=2"}, kAttributes);
  }

  static absl::Status PutClone(int mount, bool* attached, int place) {
    if (!*attached) {
      *attached = true;
      return Attach(mount, place);
    }
    CRISP_ASSIGN_OR_RETURN(const UniqueFd clone, CloneFd(mount, /*recursive=*/false));
    return Attach(clone.get(), place);
  }

  const int dev_null_;
  bool null_attached_ = false;
  UniqueFd empty_;
  bool empty_attached_ = false;
};

}  // namespace

absl::Status Attach(int mount, int place) {
  return Sys("move_mount", [&] {
    return ::move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  });
}

absl::StatusOr<MountSources> OpenSources(const MountPlan& plan) {
  MountSources out;
  for (const PlannedMount& mount : plan.mounts) {
    std::vector<UniqueFd> trees;
    if (mount.kind == Kind::kBind && !mount.options.from_pod) {
      CRISP_ASSIGN_OR_RETURN(UniqueFd tree, CloneSource(mount, plan.rootfs_propagation));
      trees.push_back(std::move(tree));
    } else if (mount.kind == Kind::kOverlay) {
      auto tree = MakeOverlay(mount.options.data, mount.options.attr_set);
      if (!tree.ok()) return Annotate(tree.status(), mount.field, " at ", mount.destination);
      trees.push_back(*std::move(tree));
    } else if (mount.kind == Kind::kCgroup1) {
      CRISP_ASSIGN_OR_RETURN(trees, CloneCgroups(mount));
    }
    out.trees.push_back(std::move(trees));
  }
  CRISP_ASSIGN_OR_RETURN(out.dev_null, OpenNull());
  return out;
}

absl::Status OpenPodSources(const MountPlan& plan, MountSources* sources) {
  for (size_t i = 0; i < plan.mounts.size(); ++i) {
    const PlannedMount& mount = plan.mounts[i];
    if (mount.kind != Kind::kBind || !mount.options.from_pod) continue;
    CRISP_ASSIGN_OR_RETURN(UniqueFd tree, CloneSource(mount, plan.rootfs_propagation));
    sources->trees[i].push_back(std::move(tree));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadonlyLater> AttachMounts(const MountPlan& plan, MountSources* sources,
                                           const RootDir& root) {
  ReadonlyLater later;
  for (size_t i = 0; i < plan.mounts.size(); ++i) {
    const PlannedMount& mount = plan.mounts[i];
    CRISP_RETURN_IF_ERROR(Annotate(AttachOne(mount, &sources->trees[i], root, &later), mount.field,
                                   " at ", mount.destination));
  }
  return later;
}

absl::Status HidePaths(const MountPlan& plan, const MountSources& sources, const RootDir& root) {
  for (const std::string& path : plan.readonly_paths) {
    auto place = root.Open(path, O_PATH);
    if (ErrnoOf(place.status()) == ENOENT) continue;
    CRISP_RETURN_IF_ERROR(Annotate(place.status(), "linux.readonlyPaths"));
    CRISP_ASSIGN_OR_RETURN(const UniqueFd clone, CloneFd(place->get(), /*recursive=*/true));
    AttributeChange readonly{MOUNT_ATTR_RDONLY};
    CRISP_RETURN_IF_ERROR(Annotate(SetAttributes(clone.get(), readonly), path));
    CRISP_RETURN_IF_ERROR(Annotate(Attach(clone.get(), place->get()), path));
  }
  Masks masks(sources.dev_null.get());
  for (const std::string& path : plan.masked_paths) {
    auto place = root.Open(path, O_PATH);
    if (ErrnoOf(place.status()) == ENOENT) continue;
    CRISP_RETURN_IF_ERROR(Annotate(place.status(), "linux.maskedPaths"));
    CRISP_RETURN_IF_ERROR(Annotate(masks.Put(*place), path));
  }
  return absl::OkStatus();
}

absl::Status MakeReadonly(const MountPlan& plan, const ReadonlyLater& mounts, const RootDir& root) {
  const AttributeChange readonly{MOUNT_ATTR_RDONLY};
  for (const UniqueFd& mount : mounts) {
    CRISP_RETURN_IF_ERROR(SetAttributes(mount.get(), readonly));
  }
  if (plan.root_readonly) {
    CRISP_RETURN_IF_ERROR(Annotate(SetAttributes(root.fd(), readonly), "root.readonly"));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
