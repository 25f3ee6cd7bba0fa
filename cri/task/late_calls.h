// Calls to containerd that nobody waits for.
//
// Ownership: each call owns what it needs until it is done.
// Threads:   safe; nothing blocks.
// Errors:    dropped: see each.
#ifndef CRISP_CRI_TASK_LATE_CALLS_H_
#define CRISP_CRI_TASK_LATE_CALLS_H_

#include <string>

#include "cri/containerd/containerd.h"

namespace crisp::cri {

// Ends the input of init, or of the process `exec_id` if not empty. Waits for a
// containerd that is away; fails for a process that has ended.
void CloseIoLater(Containerd* containerd, const std::string& task_id, const std::string& exec_id);

// Has containerd forget a process that has ended: a shim may take seconds over it while
// a child holds the streams. If it fails the record goes with the task.
void DeleteProcessLater(Containerd* containerd, const std::string& task_id,
                        const std::string& exec_id);

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_LATE_CALLS_H_
