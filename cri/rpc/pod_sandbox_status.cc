#include "base/status_macros.h"
#include "cri/rpc/pod_messages.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status PodSandboxStatus(RpcContext& context, const Call& call,
                              const runtime::v1::PodSandboxStatusRequest& request,
                              runtime::v1::PodSandboxStatusResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  FillPodSandboxStatus(*pod, response->mutable_status());
  if (request.verbose()) (*response->mutable_info())["info"] = PodInfoJson(*pod);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
