#include "shim/launch/self_image.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr char kSelf[] = "/proc/self/exe";
// A program that was executed by descriptor would be called by its number.
constexpr char kName[] = "containerd-shim";

}  // namespace

absl::StatusOr<UniqueFd> OpenReadonlyProgram(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd program, SysFd(absl::StrCat("open_tree ", path), [&path] {
                           return ::open_tree(AT_FDCWD, path.c_str(),
                                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
                         }));
  mount_attr attr = {};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  attr.propagation = MS_PRIVATE;
  CRISP_RETURN_IF_ERROR(Sys("mount_setattr", [&] {
    return ::mount_setattr(program.get(), "", AT_EMPTY_PATH, &attr, sizeof(attr));
  }));
  return program;
}

bool RunsFromReadonlyMount() {
  struct statvfs fs;
  return ::statvfs(kSelf, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

absl::Status RunFromReadonlyMount(char** argv) {
  if (RunsFromReadonlyMount()) {
    (void)::prctl(PR_SET_NAME, kName, 0, 0, 0);
    return absl::OkStatus();
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd program, OpenReadonlyProgram(kSelf));
  ::syscall(SYS_execveat, program.get(), "", argv, environ, AT_EMPTY_PATH);
  return ErrnoStatus(errno, "execute the shim from a read-only mount");
}

}  // namespace crisp::shim
