// New resource limits for a container: all of them, or none.
//
// Threads: a free function; takes the container's claim.
// Errors:  InvalidArgument naming the field. After any error the kernel's values, the
//          spec and what CRI reports are as they were; should the kernel refuse to take
//          a value back, the message says so.
#ifndef CRISP_CRI_CONTAINERS_UPDATE_RESOURCES_H_
#define CRISP_CRI_CONTAINERS_UPDATE_RESOURCES_H_

#include "absl/status/status.h"
#include "api/cri/v1/api.pb.h"
#include "cri/containers/container.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

// A running container gets the limits in the kernel first and in its record after, as
// the kernel holds them; one that has not started yet, in its spec.
absl::Status UpdateResources(const ContainerContext& context, Container& container,
                             const runtime::v1::LinuxContainerResources& update);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_UPDATE_RESOURCES_H_
