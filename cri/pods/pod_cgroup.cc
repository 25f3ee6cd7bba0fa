#include "cri/pods/pod_cgroup.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"

namespace crisp::cri {

std::string PodCgroupParent(const PodContext& context, const runtime::v1::PodSandboxConfig& config,
                            const std::string& sandbox_id) {
  const std::string& asked = config.linux().cgroup_parent();
  return asked.empty() ? JoinPath(context.cgroup_parent, sandbox_id) : JoinPath("", asked);
}

void RemoveEmptyCgroup(const std::string& path) {
  if (CleanPath(path) == "/") return;
  const auto mounts = ReadMountInfo();
  if (!mounts.ok()) return;
  for (const MountInfo& mount : *mounts) {
    if (!absl::StartsWith(mount.fs_type, "cgroup")) continue;
    // rmdir refuses a cgroup that has processes or children.
    (void)::rmdir(JoinPath(mount.mount_point, path).c_str());
  }
}

}  // namespace crisp::cri
