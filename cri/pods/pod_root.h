// Into the mount namespace of a pod's pause process, for a driver that
// owns_pod_mounts().
//
// Threads: a free function.
// Errors:  NotFound: the pause process is gone, or not there yet.
#ifndef CRISP_CRI_PODS_POD_ROOT_H_
#define CRISP_CRI_PODS_POD_ROOT_H_

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "cri/pods/pod.h"

namespace crisp::cri {

// The root directory of pause's mount namespace. Whoever keeps it keeps the pod's mounts
// from going with the pod.
absl::StatusOr<UniqueFd> OpenPodRoot(const Pod& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_ROOT_H_
