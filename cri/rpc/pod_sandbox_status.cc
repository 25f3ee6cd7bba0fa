#include <memory>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/message_field.h"
#include "cri/messages/pod_messages.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

using runtime::v1::PodSandboxStatusResponse;

absl::StatusOr<Encoded> PodSandboxStatus(RpcContext& context,
                                         const runtime::v1::PodSandboxStatusRequest& request) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  PodSandboxStatusResponse head;
  // Kubelet keeps the answer under this time and lets no older event replace it, so it
  // is taken before the states are read. It also takes the containers from here,
  // whole, once there is a time: the two go together.
  head.set_timestamp(context.node.clock->NowNs());
  if (request.verbose()) (*head.mutable_info())["info"] = PodInfoJson(*pod);
  std::string response = head.SerializeAsString();
  AppendField<PodSandboxStatusResponse::kStatusFieldNumber>(*EncodedPodSandboxStatus(*pod),
                                                            &response);
  for (const auto& container : context.containers.containers->OfPod(pod->id())) {
    if (!container->listed()) continue;
    AppendField<PodSandboxStatusResponse::kContainersStatusesFieldNumber>(
        *EncodedContainerStatus(*container), &response);
  }
  return std::make_shared<const std::string>(std::move(response));
}

}  // namespace crisp::cri::rpc
