#include "shim/launch/overlay_aside.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/mount_source.h"

namespace crisp::shim {
namespace {

// Covered in our own namespace alone; a directory that is there on every host.
constexpr char kAside[] = "/proc";

// What mount(2) takes, with the zero at its end.
constexpr size_t kMaxData = 4096;

// `name` in the working directory becomes the layer: a path of few letters.
absl::Status Place(const std::string& name, const std::string& path, int user_namespace) {
  if (user_namespace < 0) {
    return Sys(absl::StrCat("link layer ", path),
               [&] { return ::symlink(path.c_str(), name.c_str()); });
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd layer, OpenLayer(path, user_namespace));
  CRISP_RETURN_IF_ERROR(Sys("mkdir", [&] { return ::mkdir(name.c_str(), 0700); }));
  return Sys(absl::StrCat("mount layer ", path), [&] {
    return ::move_mount(layer.get(), "", AT_FDCWD, name.c_str(), MOVE_MOUNT_F_EMPTY_PATH);
  });
}

// In a namespace of our own.
absl::StatusOr<UniqueFd> MountHere(const OverlayParts& parts) {
  CRISP_RETURN_IF_ERROR(Sys("make mounts private", [] {
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  }));
  std::vector<std::string> data = parts.rest;
  CRISP_RETURN_IF_ERROR(Sys("mount tmpfs", [] {
    return ::mount("tmpfs", kAside, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700");
  }));
  CRISP_RETURN_IF_ERROR(Sys("chdir", [] { return ::chdir(kAside); }));
  std::vector<std::string> names;
  for (const std::string& path : parts.lower) {
    names.push_back(absl::StrCat(names.size()));
    CRISP_RETURN_IF_ERROR(Place(names.back(), path, parts.user_namespace));
  }
  data.push_back(absl::StrCat("lowerdir=", absl::StrJoin(names, ":")));
  if (!parts.upper.empty()) {
    CRISP_RETURN_IF_ERROR(Place("upper", parts.upper, -1));
    CRISP_RETURN_IF_ERROR(Place("work", parts.work, -1));
    data.insert(data.end(), {"upperdir=upper", "workdir=work"});
    if (parts.is_volatile) {
      CRISP_ASSIGN_OR_RETURN(const UniqueFd work, OpenLayer(parts.work, -1));
      ForgetEarlierMount(work.get());
    }
  }
  const std::string text = absl::StrJoin(data, ",");
  if (text.size() >= kMaxData) {
    return absl::InvalidArgumentError("overlay: more layers than this kernel takes");
  }
  CRISP_RETURN_IF_ERROR(Sys("mkdir", [] { return ::mkdir("merged", 0700); }));
  CRISP_RETURN_IF_ERROR(Sys(
      "mount overlay", [&] { return ::mount("overlay", "merged", "overlay", 0, text.c_str()); }));
  return SysFd("clone overlay",
               [] { return ::open_tree(AT_FDCWD, "merged", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC); });
}

}  // namespace

absl::StatusOr<UniqueFd> OpenLayer(const std::string& path, int user_namespace) {
  if (user_namespace < 0) {
    return SysFd(absl::StrCat("open layer ", path),
                 [&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); });
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd plain, OpenLayer(path, -1));
  CRISP_ASSIGN_OR_RETURN(UniqueFd clone, CloneFd(plain.get(), /*recursive=*/false));
  AttributeChange change;
  change.user_namespace = user_namespace;
  CRISP_RETURN_IF_ERROR(Annotate(SetAttributes(clone.get(), change), path));
  return clone;
}

void ForgetEarlierMount(int work) {
  (void)::unlinkat(work, "work/incompat/volatile/dirty", 0);
  (void)::unlinkat(work, "work/incompat/volatile", AT_REMOVEDIR);
  (void)::unlinkat(work, "work/incompat", AT_REMOVEDIR);
}

absl::StatusOr<UniqueFd> MountOverlayAside(const OverlayParts& parts, uint64_t attributes) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd home, SysFd("open mount namespace", [] {
                           return ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
                         }));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd directory, SysFd("open working directory", [] {
                           return ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(Sys("make mount namespace", [] { return ::unshare(CLONE_NEWNS); }));
  auto overlay = MountHere(parts);
  // Whoever cannot come back must not go on.
  CRISP_RETURN_IF_ERROR(
      Sys("leave mount namespace", [&] { return ::setns(home.get(), CLONE_NEWNS); }));
  CRISP_RETURN_IF_ERROR(
      Sys("go back to the working directory", [&] { return ::fchdir(directory.get()); }));
  CRISP_RETURN_IF_ERROR(overlay.status());
  if (attributes != 0) {
    AttributeChange change;
    change.set = attributes;
    CRISP_RETURN_IF_ERROR(SetAttributes(overlay->get(), change));
  }
  return overlay;
}

}  // namespace crisp::shim
