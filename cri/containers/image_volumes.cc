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
#include "absl/strings/strip.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/containers/container_rootfs.h"
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

absl::StatusOr<std::string> PathOf(int fd) {
  std::string real(PATH_MAX, '\0');
  CRISP_ASSIGN_OR_RETURN(const long size, SysValue("read a directory's path", [&] {
                           return ::readlink(absl::StrCat("/proc/self/fd/", fd).c_str(),
                                             real.data(), real.size());
                         }));
  real.resize(size);
  return real;
}

// The image is somebody else's: links in it lead nowhere but into it.
absl::StatusOr<UniqueFd> OpenSubPath(int root, const std::string& path) {
  return OpenBeneath(root, path, O_PATH | O_DIRECTORY, Resolve::kInRoot);
}

// Where `path` leads below `root`, without a link: an image does not change.
absl::StatusOr<std::string> RealSubPath(int root, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory, OpenSubPath(root, path));
  CRISP_ASSIGN_OR_RETURN(const std::string real, PathOf(directory.get()));
  CRISP_ASSIGN_OR_RETURN(const std::string top, PathOf(root));
  absl::string_view below = real;
  if (!absl::ConsumePrefix(&below, top)) return absl::InternalError("it leads out of the image");
  (void)absl::ConsumePrefix(&below, "/");
  return std::string(below);
}

absl::StatusOr<ImageMount> PinOne(const ContainerContext& context, const Image& image,
                                  const std::string& user, const std::string& sub_path,
                                  ImagePins* pins) {
  CRISP_ASSIGN_OR_RETURN(const PinnedLayers layers, context.images->PinLayers(image, user));
  (*pins)[user] = layers.key;
  ImageMount mount{.layers = layers.lower_dirs};
  if (sub_path.empty()) return mount;
  CRISP_ASSIGN_OR_RETURN(mount.sub_path, RealSubPath(layers.root->get(), sub_path));
  return mount;
}

absl::StatusOr<ImageMount> MountOne(const ContainerContext& context, const Container& container,
                                    const Image& image, const std::string& name,
                                    const std::string& sub_path) {
  const std::string path =
      JoinPath(DirectoryOf(container.pod()->directory(), container.id()), name);
  CRISP_RETURN_IF_ERROR(MakeDirs(path, 0700));
  CRISP_ASSIGN_OR_RETURN(const std::vector<containerd::types::Mount> view,
                         context.images->ViewSnapshot(image, SnapshotKey(container.id(), name)));
  CRISP_RETURN_IF_ERROR(MountRootfsView(view, path));
  if (sub_path.empty()) return ImageMount{.host_path = path};
  CRISP_ASSIGN_OR_RETURN(const UniqueFd root, OpenDir(path));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory, OpenSubPath(root.get(), sub_path));
  ImageMount mount;
  CRISP_ASSIGN_OR_RETURN(mount.host_path, PathOf(directory.get()));
  return mount;
}

absl::Status Unmount(const std::string& path) {
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno == EINVAL || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("unmount ", path));
}

}  // namespace

absl::StatusOr<ImageVolume> MakeImageVolume(const ContainerContext& context,
                                            const Container& container, const std::string& name,
                                            const std::string& field, const std::string& image,
                                            const std::string& sub_path, ImagePins* pins) {
  const auto make = [&]() -> absl::StatusOr<ImageVolume> {
    CRISP_ASSIGN_OR_RETURN(const Image found, context.images->Resolve(image));
    ImageVolume volume{.image_id = found.id};
    absl::StatusOr<ImageMount> mount =
        PinsLayers(context, container, found)
            ? PinOne(context, found, absl::StrCat(container.id(), "/", name), sub_path, pins)
            : MountOne(context, container, found, name, sub_path);
    if (!mount.ok() && !sub_path.empty()) {
      mount = Annotate(mount.status(), "image_sub_path ", sub_path, " of ", image);
    }
    CRISP_ASSIGN_OR_RETURN(volume.mount, std::move(mount));
    return volume;
  };
  absl::StatusOr<ImageVolume> volume = make();
  if (volume.ok()) return volume;
  return absl::Status(volume.status().code(), absl::StrCat("ImageVolumeMountFailed: ", field, ": ",
                                                           volume.status().message()));
}

absl::StatusOr<std::map<int, ImageVolume>> MakeImageVolumes(const ContainerContext& context,
                                                            const Container& container,
                                                            ImagePins* pins) {
  std::map<int, ImageVolume> volumes;
  for (int i = 0; i < container.config().mounts_size(); ++i) {
    const runtime::v1::Mount& mount = container.config().mounts(i);
    if (mount.image().image().empty()) continue;
    CRISP_ASSIGN_OR_RETURN(volumes[i],
                           MakeImageVolume(context, container, absl::StrCat(i),
                                           absl::StrCat("config.mounts[", i, "].image"),
                                           mount.image().image(), mount.image_sub_path(), pins));
  }
  return volumes;
}

absl::Status UnpinImages(const ContainerContext& context, const ImagePins& pins) {
  absl::Status result;
  for (const auto& [user, key] : pins) result.Update(context.images->UnpinLayers(key, user));
  return result;
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
