// Volumes for a runtime without crisp.volumes.v1: emptyDir and hostPath as directories of
// the host, mounted by path. All other kinds need crispd.
//
// Threads: free function; one pod's calls from one thread.
// Errors:  Unimplemented for a kind that only crispd has; FailedPrecondition for a hostPath
//          of another type or a subPath that leaves its volume; errno kept.
#ifndef CRISP_AGENT_PODS_HOST_VOLUMES_H_
#define CRISP_AGENT_PODS_HOST_VOLUMES_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/manifest/pod.h"
#include "agent/pod_config.h"
#include "agent/pods/pod_files.h"

namespace crisp::agent {

// OK if every volume of the pod is of a kind that can be had; makes the directories.
absl::Status PrepareHostVolumes(const Pod& pod, const PodFiles& files);

// The container's volumeMounts.
absl::StatusOr<std::vector<ContainerInstanceConfig::HostMount>> HostVolumeMounts(
    const Pod& pod, const Container& container, const PodFiles& files);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_HOST_VOLUMES_H_
