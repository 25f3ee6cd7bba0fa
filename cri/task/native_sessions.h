// Sessions at tasks of crisp's own shim: FIFOs joined to it, and calls over its
// connection.
//
// Ownership: the sessions share the connection; borrow the loop and the directory,
//            which outlive them.
// Threads:   Start and Attach block; see TaskSession for the rest.
// Errors:    see TaskDriver::Exec and Attach.
// Crash:     a process goes on until its output's FIFO is full; the directory is
//            cleared when the driver opens.
#ifndef CRISP_CRI_TASK_NATIVE_SESSIONS_H_
#define CRISP_CRI_TASK_NATIVE_SESSIONS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/io_loop.h"
#include "cri/task/container_io.h"
#include "cri/task/task_session.h"
#include "shim/client/shim_client.h"

namespace crisp::cri {

class NativeSessions {
 public:
  struct Options {
    absl::Duration call = absl::Seconds(10);
    absl::Duration start = absl::Seconds(60);      // For the process to run.
    absl::Duration open_stdin = absl::Seconds(2);  // For the shim to open its end.
  };

  NativeSessions(IoLoop* loop, IoDirectory directory, const Options& options)
      : loop_(loop), directory_(std::move(directory)), options_(options) {}

  absl::StatusOr<std::unique_ptr<ExecSession>> Exec(std::shared_ptr<shim::ShimClient> client,
                                                    const std::string& task_id,
                                                    const std::string& process_json,
                                                    const SessionStreams& streams);
  absl::StatusOr<std::unique_ptr<TaskSession>> Attach(std::shared_ptr<shim::ShimClient> client,
                                                      const std::string& task_id,
                                                      const SessionStreams& streams);

 private:
  IoLoop* const loop_;
  const IoDirectory directory_;  // <session id>/{stdin,stdout,stderr}
  const Options options_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_NATIVE_SESSIONS_H_
