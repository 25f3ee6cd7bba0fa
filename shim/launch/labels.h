// SELinux and AppArmor: the label that the program gets at execve.
//
// Threads: single-threaded.
// Errors:  FailedPrecondition naming the field, when the host does not have what is
//          asked for; errno kept.
#ifndef CRISP_SHIM_LAUNCH_LABELS_H_
#define CRISP_SHIM_LAUNCH_LABELS_H_

#include "absl/status/status.h"
#include "shim/launch/proc_file.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// On the host, before anything is made.
absl::Status CheckLabels(const Process& process);

// Whether SetExecLabels has anything to do: it needs a PrivateProc.
bool HasLabels(const Process& process);

// In the container. What was written is read back.
absl::Status SetExecLabels(const Process& process, const PrivateProc& proc);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_LABELS_H_
