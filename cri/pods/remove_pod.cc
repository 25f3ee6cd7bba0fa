#include "cri/pods/remove_pod.h"

#include "base/failpoint.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cgroup/cgroup.h"
#include "cri/pods/pod_cgroup.h"

namespace crisp::cri {

namespace {

constexpr absl::Duration kClaimTimeout = absl::Minutes(1);

}  // namespace

absl::Status RemovePod(const PodContext& context, Pod& pod) {
  CRISP_ASSIGN_OR_RETURN(const Claim claim, pod.claim().ClaimFor("remove it", kClaimTimeout));
  CRISP_RETURN_IF_ERROR(Annotate(context.volumes->Release(pod.id()), "release the pod's volumes"));
  CRISP_FAILPOINT("remove_pod/volumes released");
  if (pod.config().linux().cgroup_parent().empty()) {
    cgroup::RemoveEmpty(context.hierarchies, PodCgroupParent(context, pod.config(), pod.id()));
  }
  CRISP_FAILPOINT("remove_pod/cgroups removed");
  CRISP_RETURN_IF_ERROR(Annotate(RemoveTree(pod.directory()), "remove the pod's directory"));
  CRISP_FAILPOINT("remove_pod/directory removed");
  context.pods->Remove(pod.id());
  if (pod.listed()) context.Tell(runtime::v1::CONTAINER_DELETED_EVENT, pod.id(), pod);
  return absl::OkStatus();
}

}  // namespace crisp::cri
