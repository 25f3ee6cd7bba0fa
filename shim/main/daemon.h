// The shim itself: one loop, one socket, the tasks of a pod or of one container.
//
// Under containerd it is started by `start` (start.h) in the first container's bundle.
// Under crispd it is `serve`, started by crispd:
//
//   containerd-shim-crisp-v1 -id POD -state DIR -socket-fd 3 serve
//
// with a listening socket as descriptor 3 and a directory of its own (0700) in which it
// keeps `pid` (its own), `log`, and `exits/<id>.json`, the exit records of tasks that
// have not been deleted (shim/task/exit_record.h). It leaves crispd's session and pipes
// behind, and ends after a Shutdown that finds no task.
//
// Crash: what it ran runs on, and becomes the init's of the host (or the next
//        subreaper's); who started the shim ends it by its cgroups.
#ifndef CRISP_SHIM_MAIN_DAEMON_H_
#define CRISP_SHIM_MAIN_DAEMON_H_

#include "absl/status/status.h"
#include "shim/main/options.h"

namespace crisp::shim {

// Returns when the shim has ended. `listener` is 3 for containerd's daemon.
absl::Status RunDaemon(const Options& options, int listener);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_DAEMON_H_
