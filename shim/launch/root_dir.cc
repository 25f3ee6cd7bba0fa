#include "shim/launch/root_dir.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::shim {
namespace {

constexpr int kMaxLinks = 40;  // As many as the kernel follows.

// openat2 wants a path below the descriptor; RESOLVE_IN_ROOT makes "/" that.
std::string Below(absl::string_view path) {
  while (absl::StartsWith(path, "/")) path.remove_prefix(1);
  return path.empty() ? "." : std::string(path);
}

std::deque<std::string> Parts(absl::string_view path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

absl::Status Make(int dirfd, const std::string& name, bool directory) {
  const int made = directory ? ::mkdirat(dirfd, name.c_str(), 0755)
                             : ::mknodat(dirfd, name.c_str(), S_IFREG | 0644, 0);
  if (made == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("make ", name));
}

}  // namespace

absl::StatusOr<UniqueFd> RootDir::Open(absl::string_view path, int flags) const {
  return OpenBeneath(fd(), Below(path), flags, Resolve::kInRoot);
}

absl::StatusOr<UniqueFd> RootDir::OpenPlain(absl::string_view path, int flags) const {
  return OpenBeneath(fd(), Below(path), flags, Resolve::kNoSymlinks);
}

absl::StatusOr<UniqueFd> RootDir::EnsureDirectory(absl::string_view path) const {
  return Ensure(path, /*directory=*/true);
}

absl::StatusOr<UniqueFd> RootDir::EnsureFile(absl::string_view path) const {
  return Ensure(path, /*directory=*/false);
}

absl::StatusOr<UniqueFd> RootDir::Ensure(absl::string_view path, bool directory) const {
  auto found = Open(path, directory ? O_PATH | O_DIRECTORY : O_PATH);
  if (found.ok() || ErrnoOf(found.status()) != ENOENT) return found;

  // `walked` names, from the root and with links unresolved, where `here` is: a name to
  // look up again, never to act on.
  std::string walked = "/";
  std::deque<std::string> rest = Parts(path);
  CRISP_ASSIGN_OR_RETURN(UniqueFd here, Open("/", O_PATH | O_DIRECTORY));
  int links = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    const bool last = rest.empty();
    const std::string next = JoinPath(walked, name);
    const int flags = last && !directory ? O_PATH : O_PATH | O_DIRECTORY;
    auto fd = Open(next, flags);
    if (!fd.ok() && ErrnoOf(fd.status()) == ENOENT && name != "..") {
      const absl::Status made = Make(here.get(), name, !last || directory);
      if (ErrnoOf(made) == EEXIST) {
        // Something is there that leads to nothing. What it should lead to is made.
        char target[PATH_MAX];
        CRISP_ASSIGN_OR_RETURN(const ssize_t size, SysValue(absl::StrCat("read link ", next), [&] {
                                 return ::readlinkat(here.get(), name.c_str(), target,
                                                     sizeof(target));
                               }));
        if (++links > kMaxLinks) return ErrnoStatus(ELOOP, absl::StrCat("make ", path));
        const absl::string_view link(target, static_cast<size_t>(size));
        std::deque<std::string> onto = Parts(link);
        rest.insert(rest.begin(), onto.begin(), onto.end());
        if (absl::StartsWith(link, "/")) {
          walked.assign(1, '/');
          CRISP_ASSIGN_OR_RETURN(here, Open("/", O_PATH | O_DIRECTORY));
        }
        continue;
      }
      CRISP_RETURN_IF_ERROR(Annotate(made, path));
      fd = OpenBeneath(here.get(), name, flags | O_NOFOLLOW, Resolve::kNoSymlinks);
    }
    if (!fd.ok()) return fd.status();
    here = *std::move(fd);
    walked = next;
  }
  return here;
}

}  // namespace crisp::shim
