#include "agent/pods/host_volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "agent/store/object.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {
namespace {

constexpr mode_t kEmptyDirMode = 0777;
constexpr mode_t kSetgid = 02000;

std::string KindOf(const Json& volume) {
  for (const auto& [key, value] : volume.items()) {
    if (key != "name") return key;
  }
  return "";
}

absl::Status MakeEmptyDir(const Pod& pod, const std::string& path) {
  CRISP_RETURN_IF_ERROR(MakeDirs(path, kEmptyDirMode));
  if (!pod.security.fs_group.has_value()) return absl::OkStatus();
  const gid_t group = static_cast<gid_t>(*pod.security.fs_group);
  CRISP_RETURN_IF_ERROR(
      Sys("chown", [&] { return ::chown(path.c_str(), static_cast<uid_t>(-1), group); }));
  return Sys("chmod", [&] { return ::chmod(path.c_str(), kEmptyDirMode | kSetgid); });
}

bool IsType(const std::string& type, mode_t mode) {
  if (type == "Directory" || type == "DirectoryOrCreate") return S_ISDIR(mode);
  if (type == "File" || type == "FileOrCreate") return S_ISREG(mode);
  if (type == "Socket") return S_ISSOCK(mode);
  if (type == "CharDevice") return S_ISCHR(mode);
  if (type == "BlockDevice") return S_ISBLK(mode);
  return true;
}

absl::Status PrepareHostPath(const std::string& path, const std::string& type) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) {
    if (type.empty()) return absl::OkStatus();  // Whoever mounts it makes it.
    if (type == "DirectoryOrCreate") return MakeDirs(path, 0755);
    if (type == "FileOrCreate") {
      return SysFd("create",
                   [&] {
                     return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
                   })
          .status();
    }
    return absl::FailedPreconditionError(
        absl::StrCat("hostPath type check failed: ", path, " does not exist"));
  }
  if (IsType(type, info.st_mode)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("hostPath type check failed: ", path, " is not a ", type));
}

const Json* Find(const Pod& pod, const std::string& name) {
  for (const Json& volume : pod.volumes) {
    if (TextAt(volume, "name") == name) return &volume;
  }
  return nullptr;
}

// `below` within the volume's directory, made if it is missing, and never outside.
absl::StatusOr<std::string> SubPath(const std::string& root, const std::string& below) {
  if (!IsCleanRelative(below)) {
    return absl::FailedPreconditionError(
        absl::StrCat("subPath \"", below, "\" is not a relative path without '.' and '..'"));
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd base, OpenDir(root));
  const auto found = OpenBeneath(base.get(), below, O_PATH, Resolve::kNoSymlinks);
  if (!found.ok() && ErrnoOf(found.status()) == ENOENT) {
    CRISP_RETURN_IF_ERROR(MakeDirsBeneath(base.get(), below, 0755).status());
  } else if (!found.ok()) {
    return Annotate(found.status(), "subPath \"", below, "\"");
  }
  return JoinPath(root, below);
}

}  // namespace

absl::Status PrepareHostVolumes(const Pod& pod, const PodFiles& files) {
  for (const Json& volume : pod.volumes) {
    const std::string name = TextAt(volume, "name");
    const std::string kind = KindOf(volume);
    absl::Status status;
    if (kind == "emptyDir" && TextAt(volume, "emptyDir.medium").empty()) {
      status = MakeEmptyDir(pod, files.VolumeDirectory(name));
    } else if (kind == "hostPath") {
      status = PrepareHostPath(TextAt(volume, "hostPath.path"), TextAt(volume, "hostPath.type"));
    } else {
      status = absl::UnimplementedError(
          absl::StrCat("this container runtime has no ",
                       kind == "emptyDir" ? "emptyDir in memory" : kind, " volumes; crispd has"));
    }
    CRISP_RETURN_IF_ERROR(Annotate(status, "MountVolume.SetUp failed for volume \"", name, "\" "));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ContainerInstanceConfig::HostMount>> HostVolumeMounts(
    const Pod& pod, const Container& container, const PodFiles& files) {
  std::vector<ContainerInstanceConfig::HostMount> out;
  for (const Json& mount : container.volume_mounts) {
    const std::string name = TextAt(mount, "name");
    const Json* volume = Find(pod, name);
    if (volume == nullptr) continue;  // The reader of manifests let none through.
    std::string host = KindOf(*volume) == "hostPath" ? TextAt(*volume, "hostPath.path")
                                                     : files.VolumeDirectory(name);
    if (!TextAt(mount, "subPathExpr").empty()) {
      return absl::UnimplementedError("this container runtime has no subPathExpr; crispd has");
    }
    if (const std::string below = TextAt(mount, "subPath"); !below.empty()) {
      CRISP_ASSIGN_OR_RETURN(host, SubPath(host, below));
    }
    out.push_back({TextAt(mount, "mountPath"), host, TruthAt(mount, "readOnly")});
  }
  return out;
}

}  // namespace crisp::agent
