#include "cri/pods/pod_cgroup.h"

#include <dirent.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"

namespace crisp::cri {
namespace {

constexpr size_t kIdLength = 64;

std::vector<std::string> Hierarchies() {
  std::vector<std::string> mount_points;
  const auto mounts = ReadMountInfo();
  if (!mounts.ok()) return mount_points;
  for (const MountInfo& mount : *mounts) {
    if (absl::StartsWith(mount.fs_type, "cgroup")) mount_points.push_back(mount.mount_point);
  }
  return mount_points;
}

std::vector<std::string> Children(const std::string& cgroup) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(cgroup.c_str()), &::closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(name);
  }
  return names;
}

// rmdir refuses a cgroup that has processes or children.
void RemoveBelow(const std::string& cgroup) {
  for (const std::string& child : Children(cgroup)) RemoveBelow(JoinPath(cgroup, child));
  (void)::rmdir(cgroup.c_str());
}

}  // namespace

std::string PodCgroupParent(const PodContext& context, const runtime::v1::PodSandboxConfig& config,
                            const std::string& sandbox_id) {
  const std::string& asked = config.linux().cgroup_parent();
  return asked.empty() ? JoinPath(context.cgroup_parent, sandbox_id) : JoinPath("", asked);
}

void RemoveEmptyCgroups(const std::string& path) {
  if (CleanPath(path) == "/") return;
  for (const std::string& hierarchy : Hierarchies()) RemoveBelow(JoinPath(hierarchy, path));
}

void SweepCgroups(const PodContext& context) {
  for (const std::string& hierarchy : Hierarchies()) {
    const std::string parent = JoinPath(hierarchy, context.cgroup_parent);
    for (const std::string& name : Children(parent)) {
      // Looked up exactly: an id prefix would find another pod.
      const auto pod = context.pods->Find(name);
      if (name.size() == kIdLength && !pod.ok()) RemoveBelow(JoinPath(parent, name));
    }
  }
}

}  // namespace crisp::cri
