#include "volumes/host_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::volumes {
namespace {

struct TypeRow {
  const char* word;
  HostPathType type;
  mode_t format;  // S_IFMT of what must be there; 0 is anything.
  bool make;
  const char* noun;
};

constexpr TypeRow kTypes[] = {
    {"", HostPathType::kAny, 0, true, "anything"},
    {"DirectoryOrCreate", HostPathType::kDirectoryOrCreate, S_IFDIR, true, "a directory"},
    {"Directory", HostPathType::kDirectory, S_IFDIR, false, "a directory"},
    {"FileOrCreate", HostPathType::kFileOrCreate, S_IFREG, true, "a file"},
    {"File", HostPathType::kFile, S_IFREG, false, "a file"},
    {"Socket", HostPathType::kSocket, S_IFSOCK, false, "a socket"},
    {"CharDevice", HostPathType::kCharDevice, S_IFCHR, false, "a character device"},
    {"BlockDevice", HostPathType::kBlockDevice, S_IFBLK, false, "a block device"},
};

const TypeRow& RowOf(HostPathType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  return kTypes[0];
}

}  // namespace

absl::optional<HostPathType> HostPathTypeOf(absl::string_view word) {
  for (const TypeRow& row : kTypes) {
    if (word == row.word) return row.type;
  }
  return absl::nullopt;
}

absl::StatusOr<std::string> CleanHostPath(absl::string_view path) {
  if (path.empty() || path.front() != '/') return absl::InvalidArgumentError("must be absolute");
  if (path.size() > 4095) return absl::InvalidArgumentError("is longer than 4095 bytes");
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("contains a NUL byte");
  }
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return absl::InvalidArgumentError("contains '..'");
  }
  return CleanPath(path);
}

absl::Status CheckHostPath(const HostPathSource& source) {
  const TypeRow& row = RowOf(source.type);
  struct stat st;
  if (::stat(source.path.c_str(), &st) == -1) {
    if (errno == ENOENT && row.make) return absl::OkStatus();
    if (errno == ENOENT) {
      return absl::FailedPreconditionError(absl::StrCat("hostPath ", source.path,
                                                        " does not exist, and type ", row.word,
                                                        " asks for ", row.noun));
    }
    return ErrnoStatus(errno, absl::StrCat("hostPath ", source.path));
  }
  if (row.format != 0 && (st.st_mode & S_IFMT) != row.format) {
    return absl::FailedPreconditionError(absl::StrCat("hostPath ", source.path, " is not ",
                                                      row.noun, ", as type ", row.word, " asks"));
  }
  return absl::OkStatus();
}

absl::Status EnsureHostPath(const HostPathSource& source) {
  struct stat st;
  if (::stat(source.path.c_str(), &st) == -1 && errno == ENOENT && RowOf(source.type).make) {
    if (source.type == HostPathType::kFileOrCreate) {
      // Its directory must exist, as in Kubernetes.
      auto file = SysFd(absl::StrCat("create hostPath ", source.path), [&] {
        return ::open(source.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      });
      if (file.ok()) {
        CRISP_RETURN_IF_ERROR(Sys("chmod", [&] { return ::fchmod(file->get(), 0644); }));
      } else if (ErrnoOf(file.status()) != EEXIST) {
        return file.status();
      }
    } else {
      CRISP_RETURN_IF_ERROR(Annotate(MakeDirs(source.path, 0755), "hostPath ", source.path));
    }
  }
  return CheckHostPath(source);
}

}  // namespace crisp::volumes
