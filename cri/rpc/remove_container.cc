#include "cri/containers/remove_container.h"

#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status RemoveContainer(RpcContext& context, const Call& call,
                             const runtime::v1::RemoveContainerRequest& request,
                             runtime::v1::RemoveContainerResponse* response) {
  const auto container = context.containers.containers->Find(request.container_id());
  if (absl::IsNotFound(container.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(container.status());
  CRISP_RETURN_IF_ERROR(Annotate(cri::RemoveContainer(context.containers, **container),
                                 "remove container ", (*container)->id()));
  context.create_calls.Forget((*container)->name_key());
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
