#include "cri/pods/pod_cgroup.h"

#include "base/safe_path.h"
#include "cgroup/cgroup.h"

namespace crisp::cri {
namespace {

constexpr size_t kIdLength = 64;

}  // namespace

std::string PodCgroupParent(const PodContext& context, const runtime::v1::PodSandboxConfig& config,
                            const std::string& sandbox_id) {
  const std::string& asked = config.linux().cgroup_parent();
  return asked.empty() ? JoinPath(context.cgroup_parent, sandbox_id) : JoinPath("", asked);
}

void SweepCgroups(const PodContext& context) {
  for (const std::string& name : cgroup::ChildrenOf(context.hierarchies, context.cgroup_parent)) {
    // Looked up exactly: an id prefix would find another pod.
    const auto pod = context.pods->Find(name);
    if (name.size() == kIdLength && !pod.ok()) {
      cgroup::RemoveEmpty(context.hierarchies, JoinPath(context.cgroup_parent, name));
    }
  }
}

}  // namespace crisp::cri
