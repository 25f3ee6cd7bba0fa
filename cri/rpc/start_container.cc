#include "cri/containers/start_container.h"

#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status StartContainer(RpcContext& context, const Call& call,
                            const runtime::v1::StartContainerRequest& request,
                            runtime::v1::StartContainerResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  return cri::StartContainer(context.containers, *container);
}

}  // namespace crisp::cri::rpc
