#include "base/status_macros.h"
#include "cri/containers/remove_container.h"
#include "cri/containers/stop_container.h"
#include "cri/pods/remove_pod.h"
#include "cri/pods/stop_pod.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

absl::Status RemoveAll(RpcContext& context, Pod& pod) {
  CRISP_RETURN_IF_ERROR(StopContainersOf(context.containers, pod));
  for (const auto& container : context.containers.containers->OfPod(pod.id())) {
    CRISP_RETURN_IF_ERROR(Annotate(RemoveContainer(context.containers, *container),
                                   "remove container ", container->id()));
  }
  CRISP_RETURN_IF_ERROR(StopPod(context.node, pod));
  CRISP_RETURN_IF_ERROR(RemovePod(context.node, pod));
  context.containers.containers->Forget(pod.id());
  context.run_calls.Forget(pod.name_key());
  return absl::OkStatus();
}

}  // namespace

absl::Status RemovePodSandbox(RpcContext& context, const Call& call,
                              const runtime::v1::RemovePodSandboxRequest& request,
                              runtime::v1::RemovePodSandboxResponse* response) {
  const auto found = context.node.pods->Find(request.pod_sandbox_id());
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(found.status());
  const std::shared_ptr<Pod>& pod = *found;
  const auto remove = [&]() -> absl::StatusOr<Done> {
    CRISP_RETURN_IF_ERROR(RemoveAll(context, *pod));
    return Done();
  };
  return Annotate(context.remove_calls.Run(pod->id(), "", call.abandoned, remove).status(),
                  "remove pod ", PodDisplayName(pod->config().metadata()));
}

}  // namespace crisp::cri::rpc
