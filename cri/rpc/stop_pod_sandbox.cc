#include "base/status_macros.h"
#include "cri/containers/stop_container.h"
#include "cri/pods/stop_pod.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status StopPodSandbox(RpcContext& context, const Call& call,
                            const runtime::v1::StopPodSandboxRequest& request,
                            runtime::v1::StopPodSandboxResponse* response) {
  const auto found = context.node.pods->Find(request.pod_sandbox_id());
  if (absl::IsNotFound(found.status())) return absl::OkStatus();  // Stopped and removed before.
  CRISP_RETURN_IF_ERROR(found.status());
  const std::shared_ptr<Pod>& pod = *found;
  const auto stop = [&]() -> absl::StatusOr<Done> {
    CRISP_RETURN_IF_ERROR(StopContainersOf(context.containers, *pod));
    CRISP_RETURN_IF_ERROR(StopPod(context.node, *pod));
    return Done();
  };
  return Annotate(context.stop_calls.Run(pod->id(), "", call.abandoned, stop).status(), "stop pod ",
                  PodDisplayName(pod->config().metadata()));
}

}  // namespace crisp::cri::rpc
