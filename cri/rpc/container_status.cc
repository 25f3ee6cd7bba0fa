#include "base/status_macros.h"
#include "cri/messages/container_messages.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status ContainerStatus(RpcContext& context, const Call& call,
                             const runtime::v1::ContainerStatusRequest& request,
                             runtime::v1::ContainerStatusResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  FillContainerStatus(*container, response->mutable_status());
  if (request.verbose()) (*response->mutable_info())["info"] = ContainerInfoJson(*container);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
