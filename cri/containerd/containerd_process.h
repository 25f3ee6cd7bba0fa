// One containerd process: started or found, watched by pidfd, ended.
//
// Ownership: a handle on the process, shared between copies; dropping it neither
//            ends nor reaps the process.
// Threads:   a value. Reap is for one thread.
// Errors:    errno kept; NotFound when the process a record speaks of is not there
//            any more (its pid may be somebody else's by now).
// Crash:     Save and Load carry a process over from one crispd to the next: pid,
//            start time and boot id together name it for ever.
#ifndef CRISP_CRI_CONTAINERD_CONTAINERD_PROCESS_H_
#define CRISP_CRI_CONTAINERD_CONTAINERD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace crisp::cri {

class ContainerdProcess {
 public:
  ContainerdProcess() = default;  // No process.

  // Starts `argv` in a session of its own, stdin from /dev/null, output to
  // `log_fd`, with no other descriptor of ours and exactly `environment`.
  static absl::StatusOr<ContainerdProcess> Spawn(const std::vector<std::string>& argv,
                                                 const std::vector<std::string>& environment,
                                                 int log_fd);
  // The process that Save recorded.
  static absl::StatusOr<ContainerdProcess> Load(const std::string& pid_file);
  // The process that listens on `socket`, if `config_file` is among its arguments.
  static absl::StatusOr<ContainerdProcess> Listening(const std::string& socket,
                                                     const std::string& config_file);

  // Who listens on `socket`; errno of connect(2) if nobody does.
  static absl::StatusOr<pid_t> ListenerPid(const std::string& socket);

  absl::Status Save(const std::string& pid_file) const;

  pid_t pid() const { return pid_; }  // 0: no process.
  int pidfd() const { return pidfd_ == nullptr ? -1 : pidfd_->get(); }
  bool Alive() const { return pid_ != 0 && !WaitExit(absl::ZeroDuration()); }
  // True once the process has exited.
  bool WaitExit(absl::Duration timeout) const;
  // OK if it has exited.
  absl::Status Signal(int signal) const;
  // How it ended, "exit status 1" or "signal 9", after collecting it if it was
  // our child.
  std::string Reap() const;

 private:
  // A process that exists; it may have exited if nobody has collected it.
  static absl::StatusOr<ContainerdProcess> Open(pid_t pid);
  // NotFound unless it still runs.
  static absl::StatusOr<ContainerdProcess> OpenRunning(pid_t pid);

  pid_t pid_ = 0;
  uint64_t start_time_ = 0;  // In clock ticks since boot (proc(5), stat field 22).
  std::shared_ptr<UniqueFd> pidfd_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_CONTAINERD_PROCESS_H_
