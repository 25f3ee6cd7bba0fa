// Where a pod's cgroups are.
//
// The runtime makes them; what it leaves behind is the directory that holds the
// pod's, when crispd and not kubelet chose it.
//
// Threads: free functions.
#ifndef CRISP_CRI_PODS_POD_CGROUP_H_
#define CRISP_CRI_PODS_POD_CGROUP_H_

#include <string>

#include "absl/status/status.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

// The cgroup under which the pod's containers are, from the root of a hierarchy:
// what kubelet asked for, or /crisp/<sandbox id>.
std::string PodCgroupParent(const PodContext& context, const runtime::v1::PodSandboxConfig& config,
                            const std::string& sandbox_id);

// Removes pods' cgroups below context.cgroup_parent whose pod is not known, as far as they
// have no process: a runtime that was still at work when its caller died makes them after
// their pod is gone.
void SweepCgroups(const PodContext& context);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_CGROUP_H_
