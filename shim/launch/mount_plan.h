// What will be mounted where in a container, decided before anything is touched.
//
// Ownership: plain values; made from a spec without a look at the system.
// Threads:   free functions.
// Errors:    InvalidArgument naming the field, "mounts[3].options: ...".
#ifndef CRISP_SHIM_LAUNCH_MOUNT_PLAN_H_
#define CRISP_SHIM_LAUNCH_MOUNT_PLAN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"
#include "shim/launch/mount_options.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

struct PlannedMount {
  enum class Kind {
    kBind,        // A clone of `source` on the host, or of the pod's.
    kFilesystem,  // A new one of `fs_type`.
    kOverlay,     // One over directories of the host's.
    kCgroup1,     // A tmpfs with a bind of the container's cgroup of each hierarchy.
  };
  Kind kind = Kind::kBind;
  std::string field;        // "mounts[3]", for messages.
  std::string destination;  // Absolute and clean.
  std::string source;
  std::string fs_type;
  MountOptions options;
  // Read-only once all else is mounted: something may have to be made in it before.
  bool readonly_last = false;
  // An ordinary directory without any link on the way, or nothing: what is written to
  // below it later must be the kernel's own files.
  bool plain_directory = false;
  IdMaps id_maps;  // Of an idmapped mount.
  // kCgroup1: names below the destination.
  std::vector<std::pair<std::string, std::string>> cgroup_binds;  // Name, source.
  std::vector<std::pair<std::string, std::string>> cgroup_links;  // Name, target.
};

struct MountPlan {
  std::vector<PlannedMount> mounts;
  // Devices, links and the terminal are made in the container's /dev; false where the
  // spec binds a /dev of its own.
  bool populate_dev = true;
  std::vector<Device> devices;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  bool root_readonly = false;
  unsigned long rootfs_propagation = 0;  // MS_*, what binds get that do not say.
};

struct PlanContext {
  bool crisp_options = false;
  std::string bundle;       // For relative sources.
  std::string cgroup_path;  // Empty: none.
  cgroup::Hierarchies hosts;
};

absl::StatusOr<MountPlan> PlanMounts(const Spec& spec, const PlanContext& context);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_MOUNT_PLAN_H_
