// The last of a pod: its volumes, its directory, its record and its name. The pod
// has been stopped and its containers are gone.
//
// Threads: safe; calls for one pod are the caller's to join.
// Errors:  the status of the step that failed; the pod is then still known, and
//          the next call goes on from there.
// Crash:   the record goes with the directory, last of all.
#ifndef CRISP_CRI_PODS_REMOVE_POD_H_
#define CRISP_CRI_PODS_REMOVE_POD_H_

#include "absl/status/status.h"
#include "cri/pods/pod.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

absl::Status RemovePod(const PodContext& context, Pod& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_REMOVE_POD_H_
