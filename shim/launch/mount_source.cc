#include "shim/launch/mount_source.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/id_maps.h"

namespace crisp::shim {
namespace {

constexpr uint64_t kProcRootInode = 1;

// With the kernel's own words, where it has any ("e tmpfs: Bad value for 'size'").
absl::Status WithLog(int fs, const absl::Status& status) {
  if (status.ok()) return status;
  char line[512];
  const ssize_t size = ::read(fs, line, sizeof(line));
  if (size <= 0) return status;
  const absl::string_view text(line, static_cast<size_t>(size));
  absl::Status out(status.code(),
                   absl::StrCat(status.message(), ", ", text.substr(0, text.find('\n'))));
  return WithErrno(std::move(out), ErrnoOf(status));
}

absl::Status Configure(int fs, const std::string& option) {
  const size_t equals = option.find('=');
  if (equals == std::string::npos) {
    return Sys(absl::StrCat("option ", option),
               [&] { return ::fsconfig(fs, FSCONFIG_SET_FLAG, option.c_str(), nullptr, 0); });
  }
  const std::string key = option.substr(0, equals);
  const std::string value = option.substr(equals + 1);
  return Sys(absl::StrCat("option ", option.substr(0, 64)),
             [&] { return ::fsconfig(fs, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0); });
}

absl::StatusOr<UniqueFd> OpenSubpath(const PlannedMount& mount) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd base, SysFd(absl::StrCat("open ", mount.source), [&] {
                           return ::open(mount.source.c_str(), O_PATH | O_CLOEXEC);
                         }));
  return Annotate(OpenBeneath(base.get(), mount.options.subpath, O_PATH), mount.source);
}

// Over /proc itself goes procfs or nothing.
absl::Status CheckProc(const PlannedMount& mount, int tree) {
  if (mount.destination != "/proc") return absl::OkStatus();
  struct statfs fs;
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("statfs", [&] { return ::fstatfs(tree, &fs); }));
  CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(tree, &st); }));
  if (fs.f_type == PROC_SUPER_MAGIC && st.st_ino == kProcRootInode) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("source ", mount.source, " over /proc is not the root of a procfs"));
}

absl::Status Shape(const PlannedMount& mount, unsigned long default_propagation, int tree) {
  const MountOptions& options = mount.options;
  AttributeChange flat{options.attr_set, options.attr_clear};
  UniqueFd users;
  if (!mount.id_maps.empty()) {
    CRISP_ASSIGN_OR_RETURN(users, UserNamespaceWith(mount.id_maps));
    if (!options.recursive_idmap) flat.user_namespace = users.get();
  }
  CRISP_RETURN_IF_ERROR(SetAttributes(tree, flat));
  AttributeChange deep{options.recursive_set, options.recursive_clear};
  deep.recursive = true;
  if (options.recursive_idmap) deep.user_namespace = users.get();
  CRISP_RETURN_IF_ERROR(SetAttributes(tree, deep));
  AttributeChange propagation;
  propagation.recursive = true;
  propagation.propagation = default_propagation & ~static_cast<unsigned long>(MS_REC);
  // What an option for the mount itself does not reach is a peer of the host's no more.
  if (options.propagation == 0 ||
      (!options.propagation_recursive && options.propagation != MS_SHARED)) {
    CRISP_RETURN_IF_ERROR(SetAttributes(tree, propagation));
  }
  if (options.propagation == 0) return absl::OkStatus();
  propagation.propagation = options.propagation;
  propagation.recursive = options.propagation_recursive;
  return SetAttributes(tree, propagation);
}

}  // namespace

absl::StatusOr<UniqueFd> CloneFd(int fd, bool recursive) {
  return SysFd("open_tree", [&] {
    return ::open_tree(
        fd, "",
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
  });
}

absl::StatusOr<UniqueFd> CloneNode(int fd) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd clone, CloneFd(fd, /*recursive=*/false));
  AttributeChange alone;
  alone.propagation = MS_PRIVATE;
  CRISP_RETURN_IF_ERROR(SetAttributes(clone.get(), alone));
  return clone;
}

absl::Status SetAttributes(int mount_fd, const AttributeChange& change) {
  mount_attr attr = {};
  attr.attr_set = change.set;
  attr.attr_clr = change.clear;
  attr.propagation = change.propagation;
  if (change.user_namespace >= 0) {
    attr.attr_set |= MOUNT_ATTR_IDMAP;
    attr.userns_fd = static_cast<uint64_t>(change.user_namespace);
  }
  if (attr.attr_set == 0 && attr.attr_clr == 0 && attr.propagation == 0) return absl::OkStatus();
  return Sys("mount_setattr", [&] {
    return ::mount_setattr(mount_fd, "", AT_EMPTY_PATH | (change.recursive ? AT_RECURSIVE : 0),
                           &attr, sizeof(attr));
  });
}

absl::StatusOr<UniqueFd> CloneSource(const PlannedMount& mount, unsigned long default_propagation) {
  absl::StatusOr<UniqueFd> tree;
  if (!mount.options.subpath.empty()) {
    auto found = OpenSubpath(mount);
    if (!found.ok()) return Annotate(found.status(), mount.field, ".source");
    tree = CloneFd(found->get(), mount.options.recursive_bind);
  } else {
    tree = SysFd("open_tree", [&] {
      return ::open_tree(
          AT_FDCWD, mount.source.c_str(),
          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount.options.recursive_bind ? AT_RECURSIVE : 0));
    });
  }
  if (!tree.ok()) return Annotate(tree.status(), mount.field, ".source ", mount.source);
  CRISP_RETURN_IF_ERROR(Annotate(CheckProc(mount, tree->get()), mount.field));
  CRISP_RETURN_IF_ERROR(Annotate(Shape(mount, default_propagation, tree->get()), mount.field,
                                 " at ", mount.destination));
  return tree;
}

absl::StatusOr<std::vector<UniqueFd>> CloneCgroups(const PlannedMount& mount) {
  std::vector<UniqueFd> out;
  for (const auto& [name, source] : mount.cgroup_binds) {
    PlannedMount bind = mount;
    bind.kind = PlannedMount::Kind::kBind;
    bind.source = source;
    bind.options.data.clear();
    CRISP_ASSIGN_OR_RETURN(UniqueFd tree, CloneSource(bind, MS_PRIVATE));
    out.push_back(std::move(tree));
  }
  return out;
}

absl::StatusOr<UniqueFd> NewFilesystem(const std::string& type, const std::string& source,
                                       const std::vector<std::string>& data, uint64_t attributes) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fs, SysFd(absl::StrCat("fsopen ", type), [&] {
                           return ::fsopen(type.c_str(), FSOPEN_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(Annotate(WithLog(fs.get(), Configure(fs.get(), "source=" + source)), type));
  for (const std::string& option : data) {
    CRISP_RETURN_IF_ERROR(Annotate(WithLog(fs.get(), Configure(fs.get(), option)), type));
  }
  CRISP_RETURN_IF_ERROR(WithLog(fs.get(), Sys(absl::StrCat("create ", type), [&] {
                                  return ::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr,
                                                    0);
                                })));
  return SysFd(absl::StrCat("fsmount ", type), [&] {
    return ::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  });
}

absl::StatusOr<UniqueFd> MakeFilesystem(const PlannedMount& mount) {
  uint64_t attributes = mount.options.attr_set | mount.options.recursive_set;
  if (mount.readonly_last) attributes &= ~uint64_t{MOUNT_ATTR_RDONLY};
  auto fs = NewFilesystem(mount.fs_type, mount.source, mount.options.data, attributes);
  if (!fs.ok()) return Annotate(fs.status(), mount.field, " at ", mount.destination);
  if (mount.options.propagation != 0) {
    AttributeChange change;
    change.propagation = mount.options.propagation;
    CRISP_RETURN_IF_ERROR(Annotate(SetAttributes(fs->get(), change), mount.field));
  }
  return fs;
}

}  // namespace crisp::shim
