// Small files, read whole and written whole.
//
// Threads: free functions.
// Errors:  errno kept; OutOfRange when a file is larger than its bound,
//          FailedPrecondition when it is not a regular file.
// Crash:   WriteFileAtomic leaves the old content or the new, never a mix. With
//          Sync::kNone that holds for a crash of the process, with Sync::kFull
//          for a power loss also.
#ifndef CRISP_BASE_FILE_H_
#define CRISP_BASE_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp {

enum class Sync { kNone, kFull };

// Reads the open `fd` to its end; more than `max_bytes` is OutOfRange.
absl::StatusOr<std::string> ReadAll(int fd, size_t max_bytes);

// Reads a regular file. `path` is relative to `dirfd` (or absolute with AT_FDCWD)
// and its last component must not be a symlink. FIFOs and devices are refused
// without blocking.
absl::StatusOr<std::string> ReadFileAt(int dirfd, const std::string& path, size_t max_bytes);

// Reads a kernel file such as /proc/self/mountinfo, or a file that crisp wrote.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = 16 << 20);

// Writes all of `data`, over short writes and EINTR.
absl::Status WriteAll(int fd, absl::string_view data);

// Replaces `name` in `dirfd` by a file of `data` with exactly `mode`, by rename.
absl::Status WriteFileAtomicAt(int dirfd, const std::string& name, absl::string_view data,
                               mode_t mode, Sync sync = Sync::kNone);
absl::Status WriteFileAtomic(const std::string& path, absl::string_view data, mode_t mode,
                             Sync sync = Sync::kNone);

// Writes `data` to an existing kernel file (sysctl, cgroup) in one write(2).
absl::Status WriteKernelFile(const std::string& path, absl::string_view data);

}  // namespace crisp

#endif  // CRISP_BASE_FILE_H_
