// A container's OCI runtime specification, from CRI's request, the image and what
// the sandbox already has.
//
// Ownership: the input borrows; everything in it outlives the call.
// Threads:   a free function. It reads host paths (devices, mount sources, mountinfo)
//            and may make a missing mount source; it changes nothing else.
// Errors:    InvalidArgument naming the CRI field and the reason;
//            FailedPrecondition when the host lacks what the request needs.
#ifndef CRISP_CRI_SPEC_CONTAINER_SPEC_H_
#define CRISP_CRI_SPEC_CONTAINER_SPEC_H_

#include <sys/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/host_facts.h"
#include "cri/spec/image_config_view.h"
#include "cri/spec/mounts.h"
#include "cri/spec/seccomp_profile.h"
#include "cri/spec/user.h"

namespace crisp::cri {

struct ContainerSpecInput {
  const runtime::v1::ContainerConfig& config;
  const runtime::v1::PodSandboxConfig& pod;  // The sandbox's own, as it was made.
  const ImageConfigView& image;
  const HostFacts& host;
  SeccompProfiles* seccomp;  // Never null.

  std::string container_id;
  std::string sandbox_id;
  pid_t pause_pid = 0;
  std::string netns_path;  // "" : pause's.
  pid_t target_pid = 0;    // Init of namespace_options.target_id's container, for TARGET.
  std::string hostname;    // For $HOSTNAME: the pod's, or the host's with host network.
  std::string rootfs = "rootfs";
  std::string cgroup_path;
  ResolvedUser user;

  // Host paths of the pod's files; an empty one is not mounted.
  std::string shm_path;
  bool shm_from_pod = false;  // shm_path is in pause's mount namespace.
  std::string hosts_path;
  std::string hostname_path;
  std::string resolv_path;
  std::vector<SpecMount> extra_mounts;      // Volumes, resolved by //volumes.
  std::map<int, ImageMount> image_volumes;  // By index in config.mounts.

  std::vector<std::string> cdi_dirs;  // Where CDI spec files are; later ones win.
  bool recursive_read_only = true;    // The runtime handler knows the "rro" option.
  std::string apparmor_default;       // Profile that RuntimeDefault means; "" if none is loaded.
  int64_t pids_limit = 0;             // 0: none.
};

absl::StatusOr<nlohmann::json> BuildContainerSpec(const ContainerSpecInput& input);

// All that is mounted over the rootfs by request: CRI's mounts and the extra ones,
// parents first. BuildContainerSpec uses the same list.
absl::StatusOr<std::vector<SpecMount>> RequestedMounts(const ContainerSpecInput& input);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_CONTAINER_SPEC_H_
