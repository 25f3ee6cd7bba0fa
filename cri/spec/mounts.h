// Bind mounts: from CRI's mounts and from volumes to the OCI spec's list.
//
// Threads: free functions. ResolveCriMounts stats host paths and makes a missing
//          source as a directory (0755), as every CRI server does.
// Errors:  InvalidArgument naming `config.mounts[i].field`; the message starts with
//          "RROUnsupported" when recursive read-only cannot be had and with
//          "ImageVolumeMountFailed" for image volumes, the reasons that kubelet
//          and its users look for.
#ifndef CRISP_CRI_SPEC_MOUNTS_H_
#define CRISP_CRI_SPEC_MOUNTS_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"
#include "base/mountinfo.h"

namespace crisp::cri {

enum class Propagation { kPrivate, kSlave, kShared };

// A bind mount whose source is already resolved.
struct SpecMount {
  std::string container_path;  // Absolute and clean.
  std::string host_path;       // Absolute, resolved.
  bool read_only = false;
  bool recursive_read_only = false;
  Propagation propagation = Propagation::kPrivate;
  std::vector<std::string> options;  // Of "noexec", "nodev", "nosuid".
  // OCI id mappings of an idmapped mount; empty: ids are the host's.
  nlohmann::json uid_mappings, gid_mappings;

  // Instead of host_path: read-only layers, as in ImageMount.
  std::vector<std::string> layers;

  // For a driver that owns_pod_mounts(), whose launcher carries these out.
  bool from_pod = false;  // host_path is in the mount namespace of the pod's pause process.
  std::string sub_path;   // Below host_path, resolved beneath it when it is mounted.
};

// An image's files: a directory of the host, or layers (the uppermost first) for a driver
// that owns_pod_mounts() to lay over each other.
struct ImageMount {
  std::string host_path;
  std::vector<std::string> layers;
  std::string sub_path;  // Below the layers; clean, no link in it; "" is all of them.
};

struct MountContext {
  std::vector<MountInfo> host_mounts;  // To judge propagation.
  bool recursive_read_only = true;     // The kernel and the runtime handler can.
  bool create_missing = true;
  std::map<int, ImageMount> image_volumes;  // By index in config.mounts.
  // The pod's, for images' files, which nobody else maps.
  nlohmann::json uid_mappings, gid_mappings;
};

absl::StatusOr<std::vector<SpecMount>> ResolveCriMounts(const runtime::v1::ContainerConfig& config,
                                                        const MountContext& context);

// Checked against host_mounts: a slave needs a shared or slave source, a shared
// mount a shared one. `field` names the mount in the message.
absl::Status CheckPropagation(absl::string_view field, const SpecMount& mount,
                              const std::vector<MountInfo>& host_mounts);

// Whether a mount of this list is exactly at `container_path`.
bool MountsAt(const std::vector<SpecMount>& mounts, absl::string_view container_path);

// Parents before children; equal depth keeps its order, so a later mount on the
// same path wins.
void SortByDepth(std::vector<SpecMount>* mounts);

// Shows an image at mount.container_path.
void UseImage(const ImageMount& image, SpecMount* mount);

nlohmann::json MountToOci(const SpecMount& mount);

// linux.rootfsPropagation that these mounts need: "", "rslave" or "rshared".
std::string RootfsPropagation(const std::vector<SpecMount>& mounts);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_MOUNTS_H_
