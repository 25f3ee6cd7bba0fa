#include "cri/containers/create_container.h"

#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status CreateContainer(RpcContext& context, const Call& call,
                             const runtime::v1::CreateContainerRequest& request,
                             runtime::v1::CreateContainerResponse* response) {
  if (!request.has_config()) return BadField("config", "missing");
  if (!request.config().has_metadata()) return BadField("config.metadata", "missing");
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  const auto create = [&]() -> absl::StatusOr<std::string> {
    CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                           cri::CreateContainer(context.containers, pod, request.config()));
    return container->id();
  };
  CRISP_ASSIGN_OR_RETURN(
      const std::string id,
      context.create_calls.Run(ContainerNameKey(pod->id(), request.config().metadata()),
                               request.SerializeAsString(), call.abandoned, create));
  response->set_container_id(id);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
