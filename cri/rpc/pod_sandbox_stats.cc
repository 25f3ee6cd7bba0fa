#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri::rpc {

absl::Status PodSandboxStats(RpcContext& context, const Call& call,
                             const runtime::v1::PodSandboxStatsRequest& request,
                             runtime::v1::PodSandboxStatsResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  CRISP_ASSIGN_OR_RETURN(*response->mutable_stats(),
                         Annotate(context.stats->OfPod(*pod), "stats of pod sandbox ", pod->id()));
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
