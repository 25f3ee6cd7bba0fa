// One crispd to a state directory.
//
// Ownership: holds the lock until destroyed; the kernel drops it with the process.
// Errors:    FailedPrecondition when another crispd has it.
#ifndef CRISP_CRI_MAIN_STATE_LOCK_H_
#define CRISP_CRI_MAIN_STATE_LOCK_H_

#include <fcntl.h>
#include <sys/file.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cri {

inline absl::StatusOr<UniqueFd> LockState(const std::string& state) {
  const std::string path = state + "/crispd.lock";
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd("open " + path, [&] {
                           return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                         0600);
                         }));
  const absl::Status locked =
      Sys("lock " + path, [&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); });
  if (ErrnoOf(locked) == EWOULDBLOCK) {
    return absl::FailedPreconditionError(
        absl::StrCat("another crispd runs on the state directory ", state));
  }
  CRISP_RETURN_IF_ERROR(locked);
  return fd;
}

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_STATE_LOCK_H_
