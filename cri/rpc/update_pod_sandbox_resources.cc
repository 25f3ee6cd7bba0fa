#include "base/status_macros.h"
#include "cri/pods/update_pod_resources.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status UpdatePodSandboxResources(RpcContext& context, const Call& call,
                                       const runtime::v1::UpdatePodSandboxResourcesRequest& request,
                                       runtime::v1::UpdatePodSandboxResourcesResponse* response) {
  if (!request.has_resources() && !request.has_overhead()) return BadField("resources", "missing");
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  return UpdatePodResources(context.node, *pod, request);
}

}  // namespace crisp::cri::rpc
