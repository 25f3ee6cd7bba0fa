#include "base/dir_entries.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/string_view.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp {

absl::StatusOr<std::vector<std::string>> DirEntries(int dirfd) {
  // A descriptor of its own: a duplicate would share the caller's position.
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenBeneath(dirfd, ".", O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks));
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.get()), &::closedir);
  if (dir == nullptr) return ErrnoStatus(errno, "list directory");
  (void)fd.release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus(errno, "list directory");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace crisp
