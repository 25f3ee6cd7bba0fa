// New resources for a whole pod: all of them, or none.
//
// They are limits of the pod's cgroup where crispd made that cgroup. One that the pod's
// config names (cgroup_parent) belongs to who named it: kubelet sets its limits itself
// before it calls, from rules of its own, and others may keep several pods in it. There the
// resources are recorded and nothing is written.
//
// Threads: a free function; takes the pod's claim.
// Errors:  InvalidArgument naming the field; FailedPrecondition for a pod that is not
//          ready. After any error the kernel's values and the record are as they were.
#ifndef CRISP_CRI_PODS_UPDATE_POD_RESOURCES_H_
#define CRISP_CRI_PODS_UPDATE_POD_RESOURCES_H_

#include "absl/status/status.h"
#include "api/cri/v1/api.pb.h"
#include "cri/pods/pod.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

// A field of `resources` that is zero stays as it was; an `overhead` replaces the one before.
absl::Status UpdatePodResources(const PodContext& context, Pod& pod,
                                const runtime::v1::UpdatePodSandboxResourcesRequest& request);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_UPDATE_POD_RESOURCES_H_
