// What is mounted in every container before anything that was asked for.
//
// Threads: free functions.
#ifndef CRISP_CRI_SPEC_DEFAULT_MOUNTS_H_
#define CRISP_CRI_SPEC_DEFAULT_MOUNTS_H_

#include <nlohmann/json.hpp>

namespace crisp::cri {

struct DefaultMountOptions {
  bool privileged = false;      // /sys and cgroups can be written.
  bool cgroup = true;           // Show the cgroup tree.
  bool private_cgroup = false;  // In a cgroup namespace of the container's own.
  bool cgroup_v2 = false;
};

// /proc, /dev, /dev/pts, /dev/mqueue, /sys and /sys/fs/cgroup, parents first.
nlohmann::json DefaultMounts(const DefaultMountOptions& options);

// An empty /dev/shm of 64 MiB, for a container that shares none.
nlohmann::json PrivateShm();

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_DEFAULT_MOUNTS_H_
