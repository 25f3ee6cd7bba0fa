// RemoveContainer: ends the container if it runs, and leaves nothing of it but its
// log, which is kubelet's. Also what undoes a container that was half made.
//
// Threads: safe; several calls for one container take turns and all succeed.
// Errors:  the status of the step that failed; the next call goes on from there.
// Crash:   the record goes last.
#ifndef CRISP_CRI_CONTAINERS_REMOVE_CONTAINER_H_
#define CRISP_CRI_CONTAINERS_REMOVE_CONTAINER_H_

#include "absl/status/status.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

absl::Status RemoveContainer(const ContainerContext& context, Container& container);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_REMOVE_CONTAINER_H_
