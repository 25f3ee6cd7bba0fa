#include "base/status_macros.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/pod_messages.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status PodSandboxStatus(RpcContext& context, const Call& call,
                              const runtime::v1::PodSandboxStatusRequest& request,
                              runtime::v1::PodSandboxStatusResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  // Kubelet keeps the answer under this time and lets no older event replace it, so it
  // is taken before the states are read. It also takes the containers from here,
  // whole, once there is a time: the two go together.
  response->set_timestamp(context.node.clock->NowNs());
  FillPodSandboxStatus(*pod, response->mutable_status());
  for (const auto& container : context.containers.containers->OfPod(pod->id())) {
    if (container->listed()) FillContainerStatus(*container, response->add_containers_statuses());
  }
  if (request.verbose()) (*response->mutable_info())["info"] = PodInfoJson(*pod);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
