#include "base/status_macros.h"
#include "cri/pods/run_pod.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status RunPodSandbox(RpcContext& context, const Call& call,
                           const runtime::v1::RunPodSandboxRequest& request,
                           runtime::v1::RunPodSandboxResponse* response) {
  if (!request.has_config()) return BadField("config", "missing");
  if (!request.config().has_metadata()) return BadField("config.metadata", "missing");
  CRISP_ASSIGN_OR_RETURN(
      const std::string id,
      context.run_calls.Run(PodNameKey(request.config().metadata()), request.SerializeAsString(),
                            call.abandoned, [&]() -> absl::StatusOr<std::string> {
                              CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                                                     RunPod(context.node, request.config(),
                                                            request.runtime_handler()));
                              return pod->id();
                            }));
  response->set_pod_sandbox_id(id);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
