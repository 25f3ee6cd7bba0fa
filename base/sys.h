// System calls whose errno reaches the caller's Status unharmed.
//
// absl::ErrnoToStatus folds EPERM, EACCES and EROFS into one code; ErrnoStatus
// keeps the number as a payload that ErrnoOf reads back, and spells its name in
// the message: "open /run/x: Permission denied (EACCES)".
//
// Threads: free functions without state.
#ifndef CRISP_BASE_SYS_H_
#define CRISP_BASE_SYS_H_

#include <cerrno>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp {

// The Status of a call that failed with `err` (> 0) while doing `what`.
absl::Status ErrnoStatus(int err, absl::string_view what);

// `status` with `err` as the errno it keeps, for one that came from another process; 0:
// as it is.
absl::Status WithErrno(absl::Status status, int err);

// The errno kept in `status`, or 0 if it did not come from a system call.
int ErrnoOf(const absl::Status& status);

// "EACCES" for EACCES; "errno 512" for a number without a name.
std::string ErrnoName(int err);

// Runs `call` (0 or more on success, -1 with errno on failure) and retries on
// EINTR. Never pass close().
template <typename F>
absl::Status Sys(absl::string_view what, F call) {
  while (call() == -1) {
    if (const int err = errno; err != EINTR) return ErrnoStatus(err, what);
  }
  return absl::OkStatus();
}

// Like Sys, for calls whose result is wanted: a count or a pid.
template <typename F>
auto SysValue(absl::string_view what, F call) -> absl::StatusOr<decltype(call())> {
  while (true) {
    const auto result = call();
    if (result != -1) return result;
    if (const int err = errno; err != EINTR) return ErrnoStatus(err, what);
  }
}

// Like Sys, for calls that make a descriptor; the result owns it.
template <typename F>
absl::StatusOr<UniqueFd> SysFd(absl::string_view what, F call) {
  while (true) {
    const int fd = static_cast<int>(call());
    if (fd != -1) return UniqueFd(fd);
    if (const int err = errno; err != EINTR) return ErrnoStatus(err, what);
  }
}

}  // namespace crisp

#endif  // CRISP_BASE_SYS_H_
