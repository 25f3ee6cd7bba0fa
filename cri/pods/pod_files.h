// The files and the /dev/shm of one pod, under its directory.
//
// Threads: free functions, one pod at a time.
// Errors:  InvalidArgument for values that would add lines of their own; errno.
// Crash:   the directory and the shm mount are found again by their path.
#ifndef CRISP_CRI_PODS_POD_FILES_H_
#define CRISP_CRI_PODS_POD_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cri/pods/pod.h"

namespace crisp::cri {

// The name that a pod's UTS namespace and $HOSTNAME have: the configured one,
// or the node's if there is none or the pod is on the host's network.
std::string PodHostname(const Pod& pod, const std::string& node_name);

// hostname and resolv.conf, which do not depend on the network.
absl::Status WritePodFiles(const Pod& pod, const std::string& node_name);

// hosts, once the pod's addresses are known.
absl::Status WriteHostsFile(const Pod& pod, const std::string& node_name,
                            const std::vector<std::string>& ips);

// A 64 MiB tmpfs on the pod's directory, unless the pod shares the host's IPC
// namespace. Unmount is idempotent.
absl::Status MountShm(const Pod& pod);
absl::Status UnmountShm(const std::string& pod_directory);

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_FILES_H_
