#include "cri/containers/stop_container.h"

#include <algorithm>

#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status StopContainer(RpcContext& context, const Call& call,
                           const runtime::v1::StopContainerRequest& request,
                           runtime::v1::StopContainerResponse* response) {
  const auto container = context.containers.containers->Find(request.container_id());
  if (absl::IsNotFound(container.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(container.status());
  const absl::Duration grace = absl::Seconds(std::max<int64_t>(request.timeout(), 0));
  return cri::StopContainer(context.containers, **container, grace);
}

}  // namespace crisp::cri::rpc
