#include "shim/launch/proc_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/mount_source.h"

namespace crisp::shim {
namespace {

absl::Status WriteOnce(int fd, const std::string& path, absl::string_view data) {
  CRISP_ASSIGN_OR_RETURN(const ssize_t written, SysValue(absl::StrCat("write /proc/", path), [&] {
                           return ::write(fd, data.data(), data.size());
                         }));
  if (static_cast<size_t>(written) == data.size()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("write /proc/", path, ": taken in part only"));
}

}  // namespace

absl::StatusOr<PrivateProc> PrivateProc::Make() {
  CRISP_ASSIGN_OR_RETURN(
      UniqueFd root,
      NewFilesystem("proc", "proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  return PrivateProc(std::move(root));
}

absl::StatusOr<UniqueFd> PrivateProc::Open(const std::string& path, int flags) const {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  return SysFd(absl::StrCat("open /proc/", path), [&] {
    return ::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof(how));
  });
}

absl::StatusOr<std::string> PrivateProc::Read(const std::string& path) const {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, O_RDONLY));
  return Annotate(ReadAll(fd.get(), 64 << 10), "/proc/", path);
}

absl::Status PrivateProc::Write(const std::string& path, absl::string_view data) const {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, O_WRONLY));
  return WriteOnce(fd.get(), path, data);
}

absl::StatusOr<UniqueFd> OpenHostProc(const std::string& path, int flags) {
  const std::string name = absl::StrCat("/proc/", path);
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", name), [&] {
                           return ::open(name.c_str(), flags | O_CLOEXEC);
                         }));
  return fd;
}

absl::Status WriteHostProc(const std::string& path, absl::string_view data) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd fd, OpenHostProc(path, O_WRONLY));
  struct statfs fs;
  CRISP_RETURN_IF_ERROR(Sys("statfs", [&] { return ::fstatfs(fd.get(), &fs); }));
  if (fs.f_type != PROC_SUPER_MAGIC) {
    return absl::InternalError(absl::StrCat("/proc/", path, " is no file of procfs"));
  }
  return WriteOnce(fd.get(), path, data);
}

}  // namespace crisp::shim
