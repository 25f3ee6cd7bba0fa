#include "volumes/atomic_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/dir_entries.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::volumes {
namespace {

constexpr char kData[] = "..data";
constexpr char kStaged[] = "..data_tmp";

// "..2026_01_02_03_04_05.8c1f": the only names that are ever deleted as a tree.
bool IsVersionName(absl::string_view name) {
  constexpr absl::string_view kShape = "..dddd_dd_dd_dd_dd_dd.";
  if (name.size() <= kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? !absl::ascii_isdigit(static_cast<unsigned char>(name[i]))
                         : kShape[i] != name[i]) {
      return false;
    }
  }
  const absl::string_view random = name.substr(kShape.size());
  return std::all_of(random.begin(), random.end(),
                     [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

std::string FirstElement(const std::string& path) { return path.substr(0, path.find('/')); }

std::string LinkTarget(const std::string& name) { return absl::StrCat(kData, "/", name); }

// The target of the link `name`; "" when there is nothing of that name.
absl::StatusOr<std::string> ReadLink(int dirfd, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t n = ::readlinkat(dirfd, name.c_str(), target, sizeof(target));
  if (n >= 0) return std::string(target, static_cast<size_t>(n));
  if (errno == ENOENT) return std::string();
  if (errno == EINVAL) return absl::FailedPreconditionError(absl::StrCat(name, " is not a link"));
  return ErrnoStatus(errno, absl::StrCat("readlink ", name));
}

class Writer {
 public:
  Writer(int dirfd, const Payload& payload, const WriteOptions& options)
      : dirfd_(dirfd), payload_(payload), options_(options) {
    for (const auto& [path, file] : payload_) firsts_.insert(FirstElement(path));
  }

  absl::StatusOr<bool> Write() {
    CRISP_RETURN_IF_ERROR(CheckPayload(payload_));
    CRISP_RETURN_IF_ERROR(ReadCurrent());
    CRISP_RETURN_IF_ERROR(CheckVisibleNames());
    // A crash may have left a staged link, and versions that nothing refers to.
    CRISP_RETURN_IF_ERROR(Unlink(kStaged));
    CRISP_RETURN_IF_ERROR(RemoveOtherVersions());
    CRISP_ASSIGN_OR_RETURN(const bool same, IsCurrent());
    if (!same) CRISP_RETURN_IF_ERROR(Publish());
    // Also when nothing changed: a crash after the commit leaves links unmade.
    CRISP_RETURN_IF_ERROR(MakeLinks());
    After(WriteStep::kMadeLinks);
    CRISP_RETURN_IF_ERROR(RemoveStaleLinks());
    After(WriteStep::kRemovedLinks);
    // What could not be deleted now is found by the next write.
    (void)RemoveOtherVersions();
    After(WriteStep::kRemovedOld);
    return !same;
  }

 private:
  void After(WriteStep step) const {
    if (options_.after) options_.after(step);
  }

  mode_t FileMode(mode_t mode) const { return options_.group.has_value() ? mode | 0440 : mode; }
  mode_t DirMode() const { return options_.group.has_value() ? 0755 | S_ISGID : 0755; }

  // chgrp before chmod: chown(2) clears the set-id bits.
  absl::Status Own(int fd, mode_t mode) const {
    if (options_.group.has_value()) {
      CRISP_RETURN_IF_ERROR(
          Sys("chgrp", [&] { return ::fchown(fd, static_cast<uid_t>(-1), *options_.group); }));
    }
    return Sys("chmod", [&] { return ::fchmod(fd, mode); });
  }

  absl::Status ReadCurrent() {
    CRISP_ASSIGN_OR_RETURN(current_, ReadLink(dirfd_, kData));
    if (!current_.empty() && !IsVersionName(current_)) {
      // Only a writer with access to the volume could have put this here. Following
      // it would read, and later delete, files that are not ours.
      return absl::FailedPreconditionError(
          absl::StrCat(kData, " does not point to a version of this volume"));
    }
    return absl::OkStatus();
  }

  // A name that is taken by something else (a mount point made for a volume nested
  // below this one) is an error before anything is published.
  absl::Status CheckVisibleNames() const {
    for (const std::string& name : firsts_) {
      struct stat st;
      if (::fstatat(dirfd_, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == -1) {
        if (errno == ENOENT) continue;
        return ErrnoStatus(errno, absl::StrCat("stat ", name));
      }
      const absl::StatusOr<std::string> target = ReadLink(dirfd_, name);
      if (!target.ok() || *target != LinkTarget(name)) {
        return absl::FailedPreconditionError(
            absl::StrCat("'", name, "' exists in the volume and is not a file of it"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Unlink(const std::string& name) const {
    if (::unlinkat(dirfd_, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("unlink ", name));
  }

  absl::Status RemoveOtherVersions() const {
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(dirfd_));
    for (const std::string& name : names) {
      if (!IsVersionName(name) || name == current_ || options_.keep.count(name) != 0) continue;
      CRISP_RETURN_IF_ERROR(RemoveTreeAt(dirfd_, name));
    }
    return absl::OkStatus();
  }

  // Whether the current version holds the payload, byte by byte and mode by mode.
  absl::StatusOr<bool> IsCurrent() const {
    if (current_.empty()) return false;
    auto version =
        OpenBeneath(dirfd_, current_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
    if (!version.ok()) {
      if (ErrnoOf(version.status()) == ENOENT) return false;
      return version.status();
    }
    size_t files = 0;
    CRISP_ASSIGN_OR_RETURN(const bool same, SameBelow(version->get(), "", files));
    return same && files == payload_.size();
  }

  absl::StatusOr<bool> SameBelow(int dir, const std::string& prefix, size_t& files) const {
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(dir));
    if (names.empty() && !prefix.empty()) return false;
    for (const std::string& name : names) {
      const std::string path = prefix.empty() ? name : absl::StrCat(prefix, "/", name);
      struct stat st;
      CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("stat ", path), [&] {
        return ::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW);
      }));
      if (S_ISDIR(st.st_mode)) {
        CRISP_ASSIGN_OR_RETURN(
            UniqueFd sub, OpenBeneath(dir, name, O_RDONLY | O_DIRECTORY, Resolve::kNoSymlinks));
        CRISP_ASSIGN_OR_RETURN(const bool same, SameBelow(sub.get(), path, files));
        if (!same) return false;
        continue;
      }
      const auto wanted = payload_.find(path);
      if (wanted == payload_.end() || !S_ISREG(st.st_mode) ||
          (st.st_mode & 07777) != FileMode(wanted->second.mode) ||
          (options_.group.has_value() && st.st_gid != *options_.group) ||
          static_cast<size_t>(st.st_size) != wanted->second.bytes.size()) {
        return false;
      }
      CRISP_ASSIGN_OR_RETURN(const std::string bytes,
                             ReadFileAt(dir, name, wanted->second.bytes.size()));
      if (bytes != wanted->second.bytes) return false;
      ++files;
    }
    return true;
  }

  absl::Status Publish() {
    const std::string version = absl::StrCat(
        "..", absl::FormatTime("%Y_%m_%d_%H_%M_%S", options_.clock->Now(), absl::UTCTimeZone()),
        ".", RandomHex(12));
    const absl::Status written = WriteVersion(version);
    if (!written.ok()) {
      // Makes room at once: the usual reason is a full tmpfs.
      (void)Unlink(kStaged);
      (void)RemoveTreeAt(dirfd_, version);
      return written;
    }
    current_ = version;
    After(WriteStep::kCommitted);
    return absl::OkStatus();
  }

  absl::Status WriteVersion(const std::string& version) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeVersion(version));
    After(WriteStep::kMadeVersion);
    CRISP_RETURN_IF_ERROR(MakeParents(dir.get()));
    bool first = true;
    for (const auto& [path, file] : payload_) {
      CRISP_RETURN_IF_ERROR(Annotate(WriteOne(dir.get(), path, file), "write '", path, "'"));
      if (std::exchange(first, false)) After(WriteStep::kWroteFirstFile);
    }
    // Whoever may enter through ..data finds every owner and mode in place.
    CRISP_RETURN_IF_ERROR(Own(dir.get(), DirMode()));
    After(WriteStep::kWroteFiles);
    CRISP_RETURN_IF_ERROR(
        Sys("make link ..data_tmp", [&] { return ::symlinkat(version.c_str(), dirfd_, kStaged); }));
    After(WriteStep::kStagedLink);
    return Sys("rename to ..data", [&] { return ::renameat(dirfd_, kStaged, dirfd_, kData); });
  }

  absl::StatusOr<UniqueFd> MakeVersion(const std::string& version) const {
    CRISP_RETURN_IF_ERROR(
        Sys("make a version directory", [&] { return ::mkdirat(dirfd_, version.c_str(), 0700); }));
    return OpenBeneath(dirfd_, version, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::kNoSymlinks);
  }

  absl::Status MakeParents(int version) const {
    std::set<std::string> parents;  // In an order that has "a" before "a/b".
    for (const auto& [path, file] : payload_) {
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        parents.insert(path.substr(0, slash));
      }
    }
    for (const std::string& parent : parents) {
      CRISP_ASSIGN_OR_RETURN(UniqueFd dir, MakeDirsBeneath(version, parent, 0755));
      CRISP_RETURN_IF_ERROR(Annotate(Own(dir.get(), DirMode()), parent));
    }
    return absl::OkStatus();
  }

  absl::Status WriteOne(int version, const std::string& path, const PayloadFile& file) const {
    CRISP_ASSIGN_OR_RETURN(UniqueFd fd,
                           OpenBeneath(version, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                       Resolve::kNoSymlinks, 0600));
    CRISP_RETURN_IF_ERROR(WriteAll(fd.get(), file.bytes));
    return Own(fd.get(), FileMode(file.mode));
  }

  // After the commit, so that a watcher that sees a name appear can open it.
  absl::Status MakeLinks() const {
    for (const std::string& name : firsts_) {
      if (::symlinkat(LinkTarget(name).c_str(), dirfd_, name.c_str()) == 0) continue;
      if (errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("make link ", name));
    }
    return absl::OkStatus();
  }

  // By what is in the directory, not by what this write removed: an earlier write
  // may have stopped before it got here.
  absl::Status RemoveStaleLinks() const {
    CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> names, DirEntries(dirfd_));
    for (const std::string& name : names) {
      if (firsts_.count(name) != 0 || name.compare(0, 2, "..") == 0) continue;
      const absl::StatusOr<std::string> target = ReadLink(dirfd_, name);
      if (target.ok() && *target == LinkTarget(name)) CRISP_RETURN_IF_ERROR(Unlink(name));
    }
    return absl::OkStatus();
  }

  const int dirfd_;
  const Payload& payload_;
  const WriteOptions& options_;
  std::set<std::string> firsts_;  // First path elements: the visible names.
  std::string current_;           // Name of the published version; "" before the first.
};

}  // namespace

absl::StatusOr<bool> WriteVolume(int dirfd, const Payload& payload, const WriteOptions& options) {
  return Writer(dirfd, payload, options).Write();
}

}  // namespace crisp::volumes
