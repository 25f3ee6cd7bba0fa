#include "cri/containers/image_volumes.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/images/image_store.h"
#include "cri/images/rootfs_view.h"

namespace crisp::cri {
namespace {

std::string DirectoryOf(const std::string& pod_directory, const std::string& container_id) {
  return absl::StrCat(pod_directory, "/image-volumes/", container_id);
}

std::string SnapshotKey(const std::string& container_id, const std::string& index) {
  return absl::StrCat(container_id, "-image-volume-", index);
}

// The image is somebody else's: links in it lead nowhere but into it.
absl::StatusOr<std::string> SubPath(int root, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory,
                         OpenBeneath(root, path, O_PATH | O_DIRECTORY, Resolve::kInRoot));
  std::string real(PATH_MAX, '\0');
  CRISP_ASSIGN_OR_RETURN(const long size, SysValue("read the directory's path", [&] {
                           return ::readlink(
                               absl::StrCat("/proc/self/fd/", directory.get()).c_str(), real.data(),
                               real.size());
                         }));
  real.resize(size);
  return real;
}

absl::StatusOr<ImageVolume> MountOne(const ContainerContext& context, const Container& container,
                                     int index) {
  const runtime::v1::Mount& mount = container.config().mounts(index);
  CRISP_ASSIGN_OR_RETURN(const Image image, context.images->Resolve(mount.image().image()));
  const std::string name = absl::StrCat(index);
  const std::string path =
      JoinPath(DirectoryOf(container.pod()->directory(), container.id()), name);
  CRISP_RETURN_IF_ERROR(MakeDirs(path, 0700));
  CRISP_ASSIGN_OR_RETURN(const std::vector<containerd::types::Mount> view,
                         context.images->ViewSnapshot(image, SnapshotKey(container.id(), name)));
  CRISP_RETURN_IF_ERROR(MountRootfsView(view, path));
  ImageVolume volume{.image_id = image.id, .host_path = path};
  if (mount.image_sub_path().empty()) return volume;
  CRISP_ASSIGN_OR_RETURN(const UniqueFd root, OpenDir(path));
  CRISP_ASSIGN_OR_RETURN(volume.host_path,
                         Annotate(SubPath(root.get(), mount.image_sub_path()), "image_sub_path ",
                                  mount.image_sub_path(), " of ", mount.image().image()));
  return volume;
}

absl::Status Unmount(const std::string& path) {
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("unmount ", path));
}

}  // namespace

absl::StatusOr<std::map<int, ImageVolume>> MountImageVolumes(const ContainerContext& context,
                                                             const Container& container) {
  std::map<int, ImageVolume> volumes;
  for (int i = 0; i < container.config().mounts_size(); ++i) {
    if (container.config().mounts(i).image().image().empty()) continue;
    auto volume = MountOne(context, container, i);
    if (!volume.ok()) {
      return absl::Status(volume.status().code(),
                          absl::StrCat("ImageVolumeMountFailed: config.mounts[", i,
                                       "].image: ", volume.status().message()));
    }
    volumes.emplace(i, *std::move(volume));
  }
  return volumes;
}

absl::Status ReleaseImageVolumes(const ContainerContext& context, const std::string& pod_directory,
                                 const std::string& container_id) {
  const std::string directory = DirectoryOf(pod_directory, container_id);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    CRISP_RETURN_IF_ERROR(Unmount(entry.path()));
    CRISP_RETURN_IF_ERROR(
        context.images->RemoveSnapshot(SnapshotKey(container_id, entry.path().filename())));
  }
  return RemoveTree(directory);
}

}  // namespace crisp::cri
