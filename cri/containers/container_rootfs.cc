#include "cri/containers/container_rootfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/dir_entries.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/images/image_store.h"
#include "cri/images/rootfs_view.h"
#include "cri/spec/user_namespace.h"

namespace crisp::cri {
namespace {

using state::v1::ContainerRecord;

constexpr char kTrash[] = ".trash";
constexpr char kUpper[] = "fs";
constexpr char kWork[] = "work";

std::string DirectoryOf(const ContainerContext& context, const std::string& id) {
  return JoinPath(context.rootfs_dir, id);
}

// The root directory of an overlay is its upper directory: it looks as the uppermost
// layer's does, and belongs to whom that one belongs in the pod.
absl::Status MakeUpper(const Pod& pod, const std::string& directory, const std::string& layer) {
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", layer), [&] { return ::stat(layer.c_str(), &st); }));
  if (const auto* users = UserNamespaceOf(pod.config()); users != nullptr) {
    CRISP_ASSIGN_OR_RETURN(st.st_uid, OutsideId(users->uids(), st.st_uid));
    CRISP_ASSIGN_OR_RETURN(st.st_gid, OutsideId(users->gids(), st.st_gid));
  }
  CRISP_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, OpenDir(directory));
  CRISP_ASSIGN_OR_RETURN(UniqueFd upper, MakeDirsBeneath(dir.get(), kUpper, 0755));
  CRISP_RETURN_IF_ERROR(
      Sys("chown upper directory", [&] { return ::fchown(upper.get(), st.st_uid, st.st_gid); }));
  return Sys("chmod upper directory", [&] { return ::fchmod(upper.get(), st.st_mode & 07777); });
}

void EmptyTrash(const ContainerContext& context, const std::string& name) {
  context.tidy->Post([trash = JoinPath(context.rootfs_dir, kTrash), name] {
    if (const absl::Status deleted = RemoveTree(JoinPath(trash, name)); !deleted.ok()) {
      LogWarn("what a container wrote cannot be deleted; the next start of crispd tries again",
              {{"container", name}, {"error", deleted}});
    }
  });
}

std::string MapOption(const IdMappings& mappings) {
  return absl::StrJoin(mappings, ",", [](std::string* out, const auto& each) {
    absl::StrAppend(out, each.container_id(), ":", each.host_id(), ":", each.length());
  });
}

absl::Status ThrowAway(const ContainerContext& context, const std::string& id) {
  const std::string trash = JoinPath(context.rootfs_dir, kTrash);
  CRISP_RETURN_IF_ERROR(MakeDirs(trash, 0700));
  const std::string from = DirectoryOf(context, id), to = JoinPath(trash, id);
  if (::rename(from.c_str(), to.c_str()) == -1) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("rename ", from));
  }
  EmptyTrash(context, id);
  return absl::OkStatus();
}

}  // namespace

std::string UpperDirOf(const ContainerContext& context, const std::string& id) {
  return JoinPath(DirectoryOf(context, id), kUpper);
}

bool PinsLayers(const ContainerContext& context, const Container& container, const Image& image) {
  if (!context.own_uppers || image.chain_id.empty() || !context.images->pins_layers()) {
    return false;
  }
  const auto driver = context.node->handlers->Find(container.pod()->runtime_handler());
  return driver.ok() && (*driver)->owns_pod_mounts();
}

absl::StatusOr<ContainerRootfs> MakeRootfs(const ContainerContext& context,
                                           const Container& container, const Image& image) {
  ContainerRootfs rootfs;
  const bool pins = PinsLayers(context, container, image);
  if (!pins && UserNamespaceOf(container.pod()->config()) != nullptr) {
    return absl::FailedPreconditionError(
        "a pod with a user namespace needs an image with layers, and overlayfs as snapshotter");
  }
  if (!pins) {
    CRISP_ASSIGN_OR_RETURN(const auto mounts,
                           context.images->PrepareSnapshot(image, container.id()));
    CRISP_ASSIGN_OR_RETURN(UniqueFd view, OpenRootfsView(mounts));
    rootfs.view = std::make_shared<const UniqueFd>(std::move(view));
    return rootfs;
  }
  CRISP_ASSIGN_OR_RETURN(PinnedLayers layers, context.images->PinLayers(image, container.id()));
  CRISP_RETURN_IF_ERROR(
      MakeUpper(*container.pod(), DirectoryOf(context, container.id()), layers.lower_dirs.front()));
  rootfs.view = std::move(layers.root);
  rootfs.layers_key = std::move(layers.key);
  rootfs.lower_dirs = std::move(layers.lower_dirs);
  return rootfs;
}

absl::StatusOr<std::vector<containerd::types::Mount>> RootfsMounts(const ContainerContext& context,
                                                                   const Container& container) {
  std::vector<std::string> lower_dirs;
  container.facts().Read([&](const ContainerRecord& facts) {
    lower_dirs.assign(facts.lower_dirs().begin(), facts.lower_dirs().end());
    return 0;
  });
  if (lower_dirs.empty()) return context.images->SnapshotMounts(container.id());
  const std::string directory = DirectoryOf(context, container.id());
  // What a volatile overlay leaves in it would refuse the next mount: that of a container
  // which is started again because crispd died while it was.
  CRISP_RETURN_IF_ERROR(RemoveTree(JoinPath(directory, kWork)));
  CRISP_RETURN_IF_ERROR(MakeDirs(JoinPath(directory, kWork), 0700));
  containerd::types::Mount mount;
  mount.set_type("overlay");
  mount.set_source("overlay");
  mount.add_options(absl::StrCat("lowerdir=", absl::StrJoin(lower_dirs, ":")));
  mount.add_options(absl::StrCat("upperdir=", UpperDirOf(context, container.id())));
  mount.add_options(absl::StrCat("workdir=", JoinPath(directory, kWork)));
  // A container does not survive a reboot, so that nothing it writes needs to: without
  // this its end would sync the whole disk.
  mount.add_options("volatile");
  if (const auto* users = UserNamespaceOf(container.pod()->config()); users != nullptr) {
    // The layers are seen through an idmapped mount. What is written above them has the
    // ids that the host sees.
    mount.add_options(absl::StrCat("uidmap=", MapOption(users->uids())));
    mount.add_options(absl::StrCat("gidmap=", MapOption(users->gids())));
  }
  return std::vector<containerd::types::Mount>{std::move(mount)};
}

absl::Status RemoveRootfs(const ContainerContext& context, const Container& container) {
  const auto [key, snapshot] = container.facts().Read([](const ContainerRecord& facts) {
    return std::make_pair(facts.layers_key(), facts.snapshot_key());
  });
  CRISP_RETURN_IF_ERROR(ThrowAway(context, container.id()));
  if (!snapshot.empty()) return context.images->RemoveSnapshot(snapshot);
  return key.empty() ? absl::OkStatus() : context.images->UnpinLayers(key, container.id());
}

absl::Status RecoverRootfs(const ContainerContext& context) {
  std::map<std::string, std::string> users;
  for (const auto& container : context.containers->All()) {
    container->facts().Read([&](const ContainerRecord& facts) {
      if (!facts.layers_key().empty()) users[container->id()] = facts.layers_key();
      users.insert(facts.image_pins().begin(), facts.image_pins().end());
      return 0;
    });
  }
  return context.images->RecoverPins(users);
}

void SweepRootfs(const ContainerContext& context) {
  const auto list = [](const std::string& path) -> absl::StatusOr<std::vector<std::string>> {
    CRISP_ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(path));
    return DirEntries(dir.get());
  };
  const auto trash = list(JoinPath(context.rootfs_dir, kTrash));
  for (const std::string& name : trash.ok() ? *trash : std::vector<std::string>()) {
    EmptyTrash(context, name);
  }
  const auto names = list(context.rootfs_dir);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (!ValidateIdentifier("container id", name).ok()) continue;
    if (context.containers->Find(name).ok()) continue;
    if (const absl::Status thrown = ThrowAway(context, name); !thrown.ok()) {
      LogWarn("what a container wrote stays", {{"container", name}, {"error", thrown}});
    }
  }
}

}  // namespace crisp::cri
