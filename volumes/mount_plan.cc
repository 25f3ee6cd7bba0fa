#include "volumes/mount_plan.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "volumes/json_fields.h"
#include "volumes/sub_path.h"

namespace crisp::volumes {
namespace {

const VolumeSource* FindVolume(const std::vector<VolumeSource>& volumes, const std::string& name) {
  for (const VolumeSource& volume : volumes) {
    if (volume.name == name) return &volume;
  }
  return nullptr;
}

// Whether the volume is one of those that are mounted for the pod.
bool IsMounted(const VolumeSource& volume) {
  const EmptyDirSource* empty_dir = volume.empty_dir();
  return volume.projected() != nullptr || (empty_dir != nullptr && empty_dir->memory);
}

std::string HostPathOf(const PodDir& dir, const VolumeSource& volume) {
  if (const HostPathSource* host = volume.host_path(); host != nullptr) return host->path;
  return IsMounted(volume) ? dir.TmpfsPath(volume.name) : dir.DiskPath(volume.name);
}

absl::StatusOr<UniqueFd> OpenRoot(const PodDir& dir, const VolumeSource& volume) {
  if (volume.projected() != nullptr) return dir.OpenFiles(volume.name);
  if (dir.in_pod() && IsMounted(volume)) return dir.OpenMemory(volume.name);
  auto root = OpenDir(HostPathOf(dir, volume));
  if (root.ok()) return root;
  const int err = ErrnoOf(root.status());
  return err == ENOTDIR ? absl::FailedPreconditionError("the volume is not a directory")
                        : ErrnoStatus(err, "open the volume");
}

// The request's path below the volume's root; "." when it asks for all of it.
absl::StatusOr<std::string> SubPathOf(const MountRequest& request,
                                      const std::map<std::string, std::string>& env) {
  if (!request.sub_path.empty()) return CleanSubPath(request.sub_path);
  if (request.sub_path_expr.empty()) return std::string(".");
  auto expanded = ExpandSubPathExpr(request.sub_path_expr, env);
  if (expanded.ok()) expanded = CleanSubPath(*expanded);
  return Annotate(std::move(expanded), request.field, ".subPathExpr");
}

absl::Status BindOne(const PodDir& dir, const VolumeSource& volume, const SubPathPlace& place,
                     const std::string& sub, VolumeMount& out) {
  const bool projected = volume.projected() != nullptr;
  CRISP_ASSIGN_OR_RETURN(UniqueFd root, OpenRoot(dir, volume));
  auto source = OpenSubPath(root.get(), sub, /*make=*/!projected);
  if (!source.ok()) {
    if (ErrnoOf(source.status()) == ENOENT) {
      return absl::FailedPreconditionError(
          absl::StrCat("there is no '", absl::CEscape(sub), "' in it"));
    }
    if (ErrnoOf(source.status()) == EXDEV || ErrnoOf(source.status()) == ELOOP) {
      return absl::FailedPreconditionError(
          absl::StrCat("'", absl::CEscape(sub), "' leads out of it by a link"));
    }
    return source.status();
  }
  if (dir.in_pod()) {
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(source->get(), &st); }));
    out.host_path = HostPathOf(dir, volume);
    out.sub_path = sub;
    out.is_file = !S_ISDIR(st.st_mode);
    return absl::OkStatus();
  }
  CRISP_ASSIGN_OR_RETURN(
      const SubPathMount mount,
      BindSubPath(dir.fd(), place, source->get(), out.propagation, /*read_only=*/projected));
  out.host_path = dir.PathOf(mount.relative_path);
  out.is_file = mount.is_file;
  return absl::OkStatus();
}

absl::StatusOr<VolumeMount> PlanOne(const PodDir& dir, const VolumeSource& volume,
                                    const std::string& container_id, size_t index,
                                    const MountRequest& request,
                                    const std::map<std::string, std::string>& env) {
  VolumeMount out;
  out.volume_name = volume.name;
  out.container_path = request.mount_path;
  // A container that could write here could forge the links that the next update
  // follows, so what is asked for does not count (CVE-2017-1002102).
  out.read_only = request.read_only || volume.projected() != nullptr;
  out.recursive_read_only = request.recursive_read_only;
  out.propagation = request.propagation;
  out.from_pod = dir.in_pod() && IsMounted(volume);
  out.field = request.field;
  CRISP_ASSIGN_OR_RETURN(const std::string sub, SubPathOf(request, env));
  if (volume.image() != nullptr) {
    if (request.propagation != "private") {
      return FieldError(request.field + ".mountPropagation", "an image needs None");
    }
    out.read_only = true;
    out.image = volume.image()->reference;
    if (sub != ".") out.sub_path = sub;
    return out;
  }
  if (sub != ".") {
    CRISP_RETURN_IF_ERROR(
        Annotate(BindOne(dir, volume, {volume.name, container_id, index}, sub, out), request.field,
                 ".subPath: volume '", volume.name, "'"));
    return out;
  }
  out.host_path = HostPathOf(dir, volume);
  if (volume.host_path() != nullptr) {
    struct stat st;
    if (::stat(out.host_path.c_str(), &st) == -1) {
      return ErrnoStatus(errno, absl::StrCat(request.field, ": volume '", volume.name, "'"));
    }
    out.is_file = !S_ISDIR(st.st_mode);
  }
  return out;
}

bool IsWithin(const std::string& path, const std::string& dir) {
  return path.size() > dir.size() + 1 && path.compare(0, dir.size(), dir) == 0 &&
         path[dir.size()] == '/';
}

// The nearest mount that `inner` lies in; null if none.
const MountRequest* ParentOf(const std::vector<MountRequest>& requests, const MountRequest& inner) {
  const MountRequest* parent = nullptr;
  for (const MountRequest& each : requests) {
    if (IsWithin(inner.mount_path, each.mount_path) &&
        (parent == nullptr || each.mount_path.size() > parent->mount_path.size())) {
      parent = &each;
    }
  }
  return parent;
}

// Makes `relative` in the volume's root, for another mount to cover. Real names
// beside the published ones: an update does not touch them.
absl::Status MakeMountPoint(int root, const std::string& relative, bool is_file) {
  auto existing = OpenBeneath(root, relative, O_PATH);
  if (existing.ok()) {
    struct stat st;
    CRISP_RETURN_IF_ERROR(Sys("fstat", [&] { return ::fstat(existing->get(), &st); }));
    if (S_ISDIR(st.st_mode) != is_file) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("'", absl::CEscape(relative), "' is ", is_file ? "a directory" : "a file",
                     " in it, which a mount of another kind cannot cover"));
  }
  if (ErrnoOf(existing.status()) != ENOENT) return existing.status();
  if (relative.compare(0, 2, "..") == 0) {
    return absl::InvalidArgumentError("names that begin with '..' are reserved");
  }
  if (!is_file) return MakeDirsBeneath(root, relative, 0755).status();
  const size_t slash = relative.rfind('/');
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd parent,
      MakeDirsBeneath(root, slash == std::string::npos ? "." : relative.substr(0, slash), 0755));
  return OpenBeneath(parent.get(), relative.substr(slash == std::string::npos ? 0 : slash + 1),
                     O_WRONLY | O_CREAT | O_EXCL, Resolve::kNoSymlinks, 0644)
      .status();
}

// A container's own root is written to by its runtime, so mount points appear there;
// in a read-only volume they must exist before it is mounted.
absl::Status MakeNestedMountPoints(const PodDir& dir, const std::vector<VolumeSource>& volumes,
                                   const std::vector<MountRequest>& requests,
                                   const std::vector<VolumeMount>& mounts) {
  for (size_t i = 0; i < requests.size(); ++i) {
    const MountRequest* parent = ParentOf(requests, requests[i]);
    if (parent == nullptr || !parent->sub_path.empty() || !parent->sub_path_expr.empty()) continue;
    const VolumeSource* volume = FindVolume(volumes, parent->name);
    if (volume == nullptr || volume->projected() == nullptr) continue;
    CRISP_ASSIGN_OR_RETURN(UniqueFd root, dir.OpenFiles(volume->name));
    const std::string relative = requests[i].mount_path.substr(parent->mount_path.size() + 1);
    CRISP_RETURN_IF_ERROR(Annotate(MakeMountPoint(root.get(), relative, mounts[i].is_file),
                                   requests[i].field, ".mountPath: within volume '", volume->name,
                                   "'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<VolumeMount>> PlanMounts(const PodDir& dir,
                                                    const std::vector<VolumeSource>& volumes,
                                                    const std::string& container_id,
                                                    const std::vector<MountRequest>& requests,
                                                    const std::map<std::string, std::string>& env) {
  std::vector<VolumeMount> mounts;
  for (size_t i = 0; i < requests.size(); ++i) {
    const VolumeSource* volume = FindVolume(volumes, requests[i].name);
    if (volume == nullptr) {
      return FieldError(requests[i].field + ".name",
                        absl::StrCat("the pod has no volume '", requests[i].name, "'"));
    }
    CRISP_ASSIGN_OR_RETURN(VolumeMount mount,
                           PlanOne(dir, *volume, container_id, i, requests[i], env));
    mounts.push_back(std::move(mount));
  }
  CRISP_RETURN_IF_ERROR(MakeNestedMountPoints(dir, volumes, requests, mounts));
  return mounts;
}

}  // namespace crisp::volumes
