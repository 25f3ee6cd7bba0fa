// The end of a pod's processes and network: what StopPodSandbox does once the
// pod's containers have stopped, and what undoes a half-made pod.
//
// Threads: safe; calls for one pod are the caller's to join.
// Errors:  the status of the step that failed. Every step is tried again by the
//          next call, and skipped once it is known to be done.
// Crash:   idempotent; the record says what is still to do.
#ifndef CRISP_CRI_PODS_STOP_POD_H_
#define CRISP_CRI_PODS_STOP_POD_H_

#include "absl/status/status.h"
#include "cri/pods/pod.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

absl::Status StopPod(const PodContext& context, Pod& pod);

// Records that the pause process has ended: the pod is NOTREADY from here on.
void RecordPodExit(const PodContext& context, Pod& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_STOP_POD_H_
