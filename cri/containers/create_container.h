// CreateContainer: from a request to a container that can be started: its record,
// its writable snapshot, its volumes and its OCI spec.
//
// Threads: safe; calls for the same container are the caller's to join.
// Errors:  InvalidArgument names the field; NotFound for the image;
//          FailedPrecondition when the pod is not ready; AlreadyExists for a name
//          that is taken in the pod; otherwise the status of the step that failed.
//          After a failure nothing is left and the name is free.
// Crash:   the record comes first; recovery removes what did not get to its end.
#ifndef CRISP_CRI_CONTAINERS_CREATE_CONTAINER_H_
#define CRISP_CRI_CONTAINERS_CREATE_CONTAINER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

absl::StatusOr<std::shared_ptr<Container>> CreateContainer(
    const ContainerContext& context, const std::shared_ptr<Pod>& pod,
    const runtime::v1::ContainerConfig& config);

// Annotation on a container: its volumeMounts in Kubernetes' JSON.
inline constexpr char kVolumeMountsAnnotation[] = "io.crisp.volume-mounts";

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CREATE_CONTAINER_H_
