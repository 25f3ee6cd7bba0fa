// StartContainer: makes the task from the container's spec and runs it.
//
// Threads: safe; one start at a time.
// Errors:  FailedPrecondition unless the container is CREATED and its pod is
//          ready; otherwise the runtime's own text. A start that failed leaves
//          the container EXITED with code 128 and reason StartError, as kubelet
//          expects.
// Crash:   `start_attempted` is on disk first. Recovery adopts what runs and
//          returns what was made but not started to CREATED.
#ifndef CRISP_CRI_CONTAINERS_START_CONTAINER_H_
#define CRISP_CRI_CONTAINERS_START_CONTAINER_H_

#include "absl/status/status.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

absl::Status StartContainer(const ContainerContext& context, Container& container);

// What a driver must know of the container; without its spec and root filesystem,
// which only a start needs.
TaskSpec TaskOf(const Container& container);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_START_CONTAINER_H_
