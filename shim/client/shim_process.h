// The process of one shim: started, found again, and ended.
//
//   <directory>/socket   listened on for it before it starts, mode 0600
//   <directory>/process  its pid and start time
//
// Ownership: a handle; dropping it leaves the shim running.
// Threads:   a value; const methods may run beside each other.
// Errors:    errno kept.
// Crash:     a shim outlives crispd; Find goes by the file, and by the start time, so
//            that no stranger with the same pid is ever signalled.
#ifndef CRISP_SHIM_CLIENT_SHIM_PROCESS_H_
#define CRISP_SHIM_CLIENT_SHIM_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "shim/client/shim_binary.h"

namespace crisp::shim {

class ShimProcess {
 public:
  // Makes the socket and starts `binary` on it, in a session of its own, with no
  // streams and no descriptor but the socket. Returns when the program runs or
  // cannot; the socket takes calls at once. `directory`, absolute, exists.
  static absl::StatusOr<ShimProcess> Spawn(const ShimBinary& binary, const std::string& directory,
                                           const std::string& id);

  // NotFound: it is gone, or there never was one.
  static absl::StatusOr<ShimProcess> Find(const std::string& directory);

  pid_t pid() const { return pid_; }
  // Readable when it has ended.
  int pidfd() const { return pidfd_.get(); }

  void Kill() const;
  // Waits for its end; false if it did not come in time. A child of ours is reaped.
  bool AwaitEnd(absl::Duration timeout) const;
  // Takes its exit status if it has ended and is our child.
  void Reap() const;

 private:
  ShimProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_;
  UniqueFd pidfd_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_CLIENT_SHIM_PROCESS_H_
