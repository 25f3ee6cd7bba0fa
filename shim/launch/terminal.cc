#include "shim/launch/terminal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/launch/apply_mounts.h"
#include "shim/launch/mount_source.h"

namespace crisp::shim {
namespace {

constexpr unsigned kFirstSlaveMajor = 136;  // Documentation/admin-guide/devices.txt
constexpr unsigned kLastSlaveMajor = 143;

// A file of a devpts that is a character device with a major between these.
absl::Status CheckDevpts(int fd, unsigned first_major, unsigned last_major) {
  struct statfs fs;
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("statfs", [&] { return ::fstatfs(fd, &fs); }));
  CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(fd, &st); }));
  if (fs.f_type == DEVPTS_SUPER_MAGIC && S_ISCHR(st.st_mode) && major(st.st_rdev) >= first_major &&
      major(st.st_rdev) <= last_major) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("/dev/pts is not a devpts");
}

}  // namespace

absl::StatusOr<Terminal> OpenTerminal(const RootDir& root, const Process& process) {
  Terminal out;
  // Judged before it is opened: to open a device can have effects.
  CRISP_ASSIGN_OR_RETURN(const UniqueFd ptmx, root.OpenPlain("/dev/pts/ptmx", O_PATH));
  CRISP_RETURN_IF_ERROR(CheckDevpts(ptmx.get(), 5, 5));
  CRISP_ASSIGN_OR_RETURN(out.master,
                         root.OpenPlain("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
  CRISP_RETURN_IF_ERROR(CheckDevpts(out.master.get(), 5, 5));
  const int unlock = 0;
  CRISP_RETURN_IF_ERROR(
      Sys("unlock terminal", [&] { return ::ioctl(out.master.get(), TIOCSPTLCK, &unlock); }));
  // Straight from the master: a name in /dev/pts could be something else by now.
  CRISP_ASSIGN_OR_RETURN(out.slave, SysFd("open terminal", [&] {
                           return ::ioctl(out.master.get(), TIOCGPTPEER,
                                          O_RDWR | O_NOCTTY | O_CLOEXEC);
                         }));
  CRISP_RETURN_IF_ERROR(CheckDevpts(out.slave.get(), kFirstSlaveMajor, kLastSlaveMajor));
  if (process.console_height != 0 || process.console_width != 0) {
    winsize size = {};
    size.ws_row = process.console_height;
    size.ws_col = process.console_width;
    CRISP_RETURN_IF_ERROR(
        Sys("set console size", [&] { return ::ioctl(out.master.get(), TIOCSWINSZ, &size); }));
  }
  return out;
}

absl::Status BindConsole(const RootDir& root, const Terminal& terminal) {
  CRISP_ASSIGN_OR_RETURN(const UniqueFd dev, root.OpenPlain("/dev", O_PATH | O_DIRECTORY));
  if (::mknodat(dev.get(), "console", S_IFREG | 0600, 0) == -1 && errno != EEXIST) {
    return ErrnoStatus(errno, "make /dev/console");
  }
  CRISP_ASSIGN_OR_RETURN(const UniqueFd place, SysFd("open /dev/console", [&] {
                           return ::openat(dev.get(), "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
                         }));
  CRISP_ASSIGN_OR_RETURN(const UniqueFd clone, CloneFd(terminal.slave.get(), /*recursive=*/false));
  return Attach(clone.get(), place.get());
}

absl::Status UseTerminal(const UniqueFd& slave) {
  CRISP_RETURN_IF_ERROR(
      Sys("take the terminal", [&] { return ::ioctl(slave.get(), TIOCSCTTY, 0); }));
  for (int fd = 0; fd < 3; ++fd) {
    CRISP_RETURN_IF_ERROR(Sys("dup terminal", [&] { return ::dup2(slave.get(), fd); }));
  }
  return absl::OkStatus();
}

}  // namespace crisp::shim
