#include "cri/containers/overlay_probe.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cri {
namespace {

// No container's id.
constexpr char kProbe[] = ".probe";

absl::StatusOr<UniqueFd> MountOver(const std::string& top) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fs, SysFd("fsopen overlay", [] {
                           return ::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
                         }));
  for (const auto& [option, name] :
       {std::pair("lowerdir", "lower"), {"upperdir", "fs"}, {"workdir", "work"}}) {
    const std::string path = JoinPath(top, name);
    CRISP_RETURN_IF_ERROR(MakeDirs(path, 0700));
    CRISP_RETURN_IF_ERROR(Sys(option, [&, option = option] {
      return ::syscall(SYS_fsconfig, fs.get(), FSCONFIG_SET_STRING, option, path.c_str(), 0);
    }));
  }
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(JoinPath(top, "lower/file"), "", 0600));
  CRISP_RETURN_IF_ERROR(Sys("mount an overlay", [&] {
    return ::syscall(SYS_fsconfig, fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  }));
  return SysFd("mount an overlay",
               [&] { return ::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, 0); });
}

absl::Status Try(const std::string& top) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd overlay, MountOver(top));
  // What every container does sooner or later: make a file, delete the image's.
  CRISP_RETURN_IF_ERROR(SysFd("make a file in an overlay", [&] {
                          return ::openat(overlay.get(), "new", O_WRONLY | O_CREAT | O_CLOEXEC,
                                          0600);
                        }).status());
  return Sys("delete an image's file in an overlay",
             [&] { return ::unlinkat(overlay.get(), "file", 0); });
}

}  // namespace

absl::Status ProbeOverlayUpper(const std::string& directory) {
  const std::string top = JoinPath(directory, kProbe);
  CRISP_RETURN_IF_ERROR(RemoveTree(top));
  absl::Status tried = Try(top);
  tried.Update(RemoveTree(top));
  return tried;
}

}  // namespace crisp::cri
