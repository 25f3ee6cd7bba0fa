// From one container's volumeMounts to the binds that its OCI spec needs.
//
// Threads: free functions; the caller serialises those for one pod.
// Errors:  InvalidArgument and FailedPrecondition begin with the mount's field and
//          name the volume; no host path is told.
#ifndef CRISP_VOLUMES_MOUNT_PLAN_H_
#define CRISP_VOLUMES_MOUNT_PLAN_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "volumes/pod_dir.h"
#include "volumes/volume_mount.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

// A mount for a container's OCI spec.
struct VolumeMount {
  std::string volume_name;
  std::string host_path;  // Bind from here.
  bool from_pod = false;  // host_path is in the pod's own mount namespace.
  std::string sub_path;   // Below host_path, to be resolved beneath it; "" is all of it.
  std::string image;      // Bind the files of this image, instead of host_path.
  std::string field;      // Names the mount in messages.
  std::string container_path;
  bool read_only = false;
  bool recursive_read_only = false;
  std::string propagation = "private";  // "private", "rslave" or "rshared".
  bool is_file = false;                 // host_path is not a directory.
};

// Binds subPaths under `dir` (of a pod with mounts of its own they are only checked, and
// made where they lack: the container's launcher resolves them) and makes the mount points of
// volumes that lie within a read-only one. One result a request, in order. A failure may leave
// subPath mounts of this container behind: the caller removes them.
absl::StatusOr<std::vector<VolumeMount>> PlanMounts(const PodDir& dir,
                                                    const std::vector<VolumeSource>& volumes,
                                                    const std::string& container_id,
                                                    const std::vector<MountRequest>& requests,
                                                    const std::map<std::string, std::string>& env);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_MOUNT_PLAN_H_
