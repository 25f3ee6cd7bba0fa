#include "shim/launch/devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/apply_mounts.h"
#include "shim/launch/mount_source.h"

namespace crisp::shim {
namespace {

struct Place {
  UniqueFd directory;
  std::string name;
};

// The directory that a device goes into. What the root has as /dev may be a link: never
// followed.
absl::StatusOr<Place> OpenParent(const std::string& path, const RootDir& root) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  CRISP_RETURN_IF_ERROR(root.EnsureDirectory(parent).status());
  CRISP_ASSIGN_OR_RETURN(UniqueFd directory, root.OpenPlain(parent, O_PATH | O_DIRECTORY));
  return Place{std::move(directory), path.substr(slash + 1)};
}

absl::Status MakeNode(const Device& device, const Place& place) {
  const dev_t number = device.type == S_IFIFO ? 0 : makedev(device.major, device.minor);
  const char* name = place.name.c_str();
  if (::mknodat(place.directory.get(), name, device.type | device.mode, number) == -1) {
    if (errno != EEXIST) return ErrnoStatus(errno, "mknod");
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys(
        "stat", [&] { return ::fstatat(place.directory.get(), name, &st, AT_SYMLINK_NOFOLLOW); }));
    if ((st.st_mode & S_IFMT) != device.type || st.st_rdev != number) {
      return absl::FailedPreconditionError("something else is there already");
    }
  }
  return Sys("chown", [&] {
    return ::fchownat(place.directory.get(), name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW);
  });
}

absl::Status BindNode(const Place& place, int clone) {
  const char* name = place.name.c_str();
  if (::mknodat(place.directory.get(), name, S_IFREG | 0644, 0) == -1 && errno != EEXIST) {
    return ErrnoStatus(errno, "make a place for the device");
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd target, SysFd("open", [&] {
                           return ::openat(place.directory.get(), name,
                                           O_PATH | O_NOFOLLOW | O_CLOEXEC);
                         }));
  return Attach(clone, target.get());
}

absl::Status Link(int dev, const char* name, const char* target) {
  if (::symlinkat(target, dev, name) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("link /dev/", name));
}

}  // namespace

absl::StatusOr<std::vector<UniqueFd>> CloneDevices(const MountPlan& plan) {
  std::vector<UniqueFd> out;
  for (const Device& device : plan.devices) {
    CRISP_ASSIGN_OR_RETURN(const UniqueFd node, SysFd(absl::StrCat("open ", device.path), [&] {
                             return ::open(device.path.c_str(), O_PATH | O_CLOEXEC);
                           }));
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(node.get(), &st); }));
    if ((st.st_mode & S_IFMT) != device.type || st.st_rdev != makedev(device.major, device.minor)) {
      return absl::FailedPreconditionError(
          absl::StrCat(device.path, " on the host is another device"));
    }
    CRISP_ASSIGN_OR_RETURN(UniqueFd clone, CloneNode(node.get()));
    out.push_back(std::move(clone));
  }
  return out;
}

absl::Status MakeDevices(const MountPlan& plan, const std::vector<UniqueFd>& clones,
                         const RootDir& root) {
  for (size_t i = 0; i < plan.devices.size(); ++i) {
    const Device& device = plan.devices[i];
    auto place = OpenParent(device.path, root);
    if (!place.ok()) return Annotate(place.status(), device.path);
    CRISP_RETURN_IF_ERROR(
        Annotate(clones.empty() ? MakeNode(device, *place) : BindNode(*place, clones[i].get()),
                 device.path));
  }
  return absl::OkStatus();
}

absl::Status LinkDevices(const MountPlan& plan, const RootDir& root) {
  if (!plan.populate_dev) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN(const UniqueFd dev, root.OpenPlain("/dev", O_PATH | O_DIRECTORY));
  CRISP_RETURN_IF_ERROR(Link(dev.get(), "fd", "/proc/self/fd"));
  CRISP_RETURN_IF_ERROR(Link(dev.get(), "stdin", "/proc/self/fd/0"));
  CRISP_RETURN_IF_ERROR(Link(dev.get(), "stdout", "/proc/self/fd/1"));
  CRISP_RETURN_IF_ERROR(Link(dev.get(), "stderr", "/proc/self/fd/2"));
  struct stat st;
  if (::stat("/proc/kcore", &st) == 0) {
    CRISP_RETURN_IF_ERROR(Link(dev.get(), "core", "/proc/kcore"));
  }
  // A node of that name would belong to the host's devpts.
  (void)::unlinkat(dev.get(), "ptmx", 0);
  return Link(dev.get(), "ptmx", "pts/ptmx");
}

}  // namespace crisp::shim
