#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri::rpc {

absl::Status ContainerStats(RpcContext& context, const Call& call,
                            const runtime::v1::ContainerStatsRequest& request,
                            runtime::v1::ContainerStatsResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  CRISP_ASSIGN_OR_RETURN(*response->mutable_stats(), context.stats->OfContainer(*container));
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
