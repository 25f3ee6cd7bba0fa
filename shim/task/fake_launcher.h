// A Launcher without containers: processes of the host, forked and executed as the spec's
// process.args say. For tests of everything around it.
//
// The spec and the Process of an exec may have, beside "process" (or "args"):
//   "fail": "create" | "start"   the launch fails there
//   "sharedPid": true            the container has no pid namespace of its own
//   "slowWorker": true           another process has the launch's socket too, until it is dropped
#ifndef CRISP_SHIM_TASK_FAKE_LAUNCHER_H_
#define CRISP_SHIM_TASK_FAKE_LAUNCHER_H_

#include "shim/task/task_context.h"

namespace crisp::shim {

Launcher FakeLauncher();

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_FAKE_LAUNCHER_H_
