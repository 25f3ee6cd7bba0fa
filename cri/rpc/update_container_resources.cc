#include "base/status_macros.h"
#include "cri/containers/update_resources.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status UpdateContainerResources(RpcContext& context, const Call& call,
                                      const runtime::v1::UpdateContainerResourcesRequest& request,
                                      runtime::v1::UpdateContainerResourcesResponse* response) {
  if (!request.has_linux()) return BadField("linux", "missing");
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  return UpdateResources(context.containers, *container, request.linux());
}

}  // namespace crisp::cri::rpc
