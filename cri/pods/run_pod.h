// RunPodSandbox: from a request to a running pause process that owns the pod's
// namespaces, network and volumes.
//
// Threads: safe; calls for the same pod are the caller's to join.
// Errors:  InvalidArgument names the field; AlreadyExists for a name that another
//          pod holds; otherwise the status of the step that failed, with the
//          step's name. After a failure nothing is left and the name is free. If
//          the undoing itself fails, the pod stays, listed as NOTREADY, so that
//          StopPodSandbox and RemovePodSandbox can finish it.
// Crash:   each step records its intent first; recovery undoes a pod that did
//          not get to its end.
#ifndef CRISP_CRI_PODS_RUN_POD_H_
#define CRISP_CRI_PODS_RUN_POD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cri/pods/pod.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

absl::StatusOr<std::shared_ptr<Pod>> RunPod(const PodContext& context,
                                            const runtime::v1::PodSandboxConfig& config,
                                            const std::string& runtime_handler);

// What the volumes module needs to know of a pod.
volumes::PodIdentity PodIdentityOf(const PodContext& context, const Pod& pod);

// Annotation on a sandbox: its spec.volumes in Kubernetes' JSON.
inline constexpr char kVolumesAnnotation[] = "io.crisp.volumes";

// Annotation on a sandbox: securityContext.fsGroup, the group of its volumes.
inline constexpr char kFsGroupAnnotation[] = "io.crisp.fs-group";

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_RUN_POD_H_
