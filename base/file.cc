#include "base/file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp {
namespace {

absl::Status SyncFd(int fd, absl::string_view what) {
  return Sys(absl::StrCat("fsync ", what), [&] { return ::fsync(fd); });
}

// Swaps two names. ext4 starts writing a file's data when it is renamed over another
// ("auto_da_alloc"), and the caller waits for that; not so when the two change places.
// False if `name` is not a regular file, or the file system cannot.
bool Exchange(int dirfd, const std::string& temporary, const std::string& name) {
  struct stat old = {};
  if (::fstatat(dirfd, name.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(old.st_mode)) {
    return false;
  }
  return ::syscall(SYS_renameat2, dirfd, temporary.c_str(), dirfd, name.c_str(), RENAME_EXCHANGE) ==
         0;
}

}  // namespace

absl::StatusOr<std::string> ReadAll(int fd, size_t max_bytes) {
  std::string out;
  char buffer[64 << 10];
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const ssize_t n,
                           SysValue("read", [&] { return ::read(fd, buffer, sizeof(buffer)); }));
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > max_bytes) {
      return absl::OutOfRangeError(absl::StrCat("larger than ", max_bytes, " bytes"));
    }
    out.append(buffer, static_cast<size_t>(n));
  }
}

absl::StatusOr<std::string> ReadFileAt(int dirfd, const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO that a container planted must not hang us.
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::openat(
                               dirfd, path.c_str(),
                               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("stat ", path), [&] { return ::fstat(fd.get(), &st); }));
  if (!S_ISREG(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  return Annotate(ReadAll(fd.get(), max_bytes), "read ", path);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
                         }));
  return Annotate(ReadAll(fd.get(), max_bytes), "read ", path);
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    CRISP_ASSIGN_OR_RETURN(
        const ssize_t n, SysValue("write", [&] { return ::write(fd, data.data(), data.size()); }));
    data.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status WriteFileAtomicAt(int dirfd, const std::string& name, absl::string_view data,
                               mode_t mode, Sync sync) {
  const std::string temporary = absl::StrCat(".", name, ".", RandomHex(8));
  auto discard = absl::MakeCleanup([&] { (void)::unlinkat(dirfd, temporary.c_str(), 0); });
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("create ", temporary), [&] {
                           return ::openat(dirfd, temporary.c_str(),
                                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                                           0600);
                         }));
  CRISP_RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), data), "write ", name));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("chmod ", name), [&] { return ::fchmod(fd.get(), mode); }));
  if (sync == Sync::kFull) CRISP_RETURN_IF_ERROR(SyncFd(fd.get(), name));
  // The old file, if there was one, has the temporary name now, and goes with it.
  if (sync == Sync::kNone && Exchange(dirfd, temporary, name)) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("rename to ", name), [&] {
    return ::renameat(dirfd, temporary.c_str(), dirfd, name.c_str());
  }));
  std::move(discard).Cancel();
  if (sync == Sync::kFull) CRISP_RETURN_IF_ERROR(SyncFd(dirfd, "directory"));
  return absl::OkStatus();
}

absl::Status WriteFileAtomic(const std::string& path, absl::string_view data, mode_t mode,
                             Sync sync) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not an absolute path: '", path, "'"));
  }
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, OpenDir(slash == 0 ? "/" : path.substr(0, slash)));
  return Annotate(WriteFileAtomicAt(dir.get(), path.substr(slash + 1), data, mode, sync), "write ",
                  path);
}

absl::Status WriteKernelFile(const std::string& path, absl::string_view data) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
                         }));
  return Sys(absl::StrCat("write ", path),
             [&] { return ::write(fd.get(), data.data(), data.size()); });
}

}  // namespace crisp
