// StopContainer: the stop signal, a grace period, then SIGKILL.
//
// Threads: safe, and meant to be called at once by several: each call has a
//          deadline of its own, and the first to expire kills. So a later call
//          with a shorter grace shortens the wait of an earlier one.
// Errors:  DeadlineExceeded when the processes do not end even by SIGKILL
//          (uninterruptible sleep); the call can be repeated. A container that
//          does not run is OK.
#ifndef CRISP_CRI_CONTAINERS_STOP_CONTAINER_H_
#define CRISP_CRI_CONTAINERS_STOP_CONTAINER_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

absl::Status StopContainer(const ContainerContext& context, Container& container,
                           absl::Duration grace);

// Stops every container of the pod at once, without grace. No container can be
// created or started in the pod from here on.
absl::Status StopContainersOf(const ContainerContext& context, Pod& pod);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_STOP_CONTAINER_H_
