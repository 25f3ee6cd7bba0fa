// The pause container's OCI runtime specification: the process that owns what a
// pod's containers share.
//
// Threads: a free function without side effects.
// Errors:  InvalidArgument naming the CRI field and the reason.
#ifndef CRISP_CRI_SPEC_SANDBOX_SPEC_H_
#define CRISP_CRI_SPEC_SANDBOX_SPEC_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/host_facts.h"
#include "cri/spec/mounts.h"
#include "cri/spec/seccomp_profile.h"

namespace crisp::cri {

// A tmpfs of the pod's own.
struct PodTmpfs {
  std::string path;
  int64_t bytes = 0;  // 0: the kernel's default bound, half of the memory.
  std::string mode = "0700";
};

struct SandboxSpecInput {
  const runtime::v1::PodSandboxConfig& config;
  const HostFacts& host;
  SeccompProfiles* seccomp;  // Never null.

  std::string sandbox_id;
  std::string netns_path;   // "" with host network only.
  std::string userns_path;  // Of a pod that has a user namespace.
  std::string hostname;     // Ignored with host network.
  std::string rootfs = "rootfs";
  std::vector<std::string> args = {"/pause"};
  std::string cgroup_path;
  std::string shm_path;           // Bound at /dev/shm; "" leaves it out.
  std::vector<SpecMount> mounts;  // More binds, e.g. volumes.
  std::string pause_image;        // For the annotation that says so.

  // For a driver that owns_pod_mounts(): pause's mount namespace then has its root, the
  // pod's /dev/shm (shm_path and `mounts` do not count) and these, and nothing that
  // only pause itself would need.
  bool owns_mounts = false;
  std::vector<PodTmpfs> tmpfs;
};

absl::StatusOr<nlohmann::json> BuildSandboxSpec(const SandboxSpecInput& input);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SANDBOX_SPEC_H_
