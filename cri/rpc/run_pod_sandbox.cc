#include <google/protobuf/util/message_differencer.h>

#include "base/status_macros.h"
#include "cri/pods/run_pod.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {
namespace {

// The pod that this very request has made already: its answer may have been lost, or the
// retry may have set out before the answer came. Null if there is none.
std::shared_ptr<Pod> MadeBefore(RpcContext& context,
                                const runtime::v1::RunPodSandboxRequest& request) {
  const std::string key = PodNameKey(request.config().metadata());
  for (const std::shared_ptr<Pod>& pod : context.node.pods->All()) {
    if (pod->name_key() == key && pod->listed() && pod->ready() &&
        pod->runtime_handler() == request.runtime_handler() &&
        google::protobuf::util::MessageDifferencer::Equals(pod->config(), request.config())) {
      return pod;
    }
  }
  return nullptr;
}

}  // namespace

absl::Status RunPodSandbox(RpcContext& context, const Call& call,
                           const runtime::v1::RunPodSandboxRequest& request,
                           runtime::v1::RunPodSandboxResponse* response) {
  if (!request.has_config()) return BadField("config", "missing");
  if (!request.config().has_metadata()) return BadField("config.metadata", "missing");
  CRISP_ASSIGN_OR_RETURN(
      const std::string id,
      context.run_calls.Run(PodNameKey(request.config().metadata()), request.SerializeAsString(),
                            call.abandoned, [&]() -> absl::StatusOr<std::string> {
                              auto pod =
                                  RunPod(context.node, request.config(), request.runtime_handler());
                              if (absl::IsAlreadyExists(pod.status())) {
                                const auto made = MadeBefore(context, request);
                                if (made != nullptr) return made->id();
                              }
                              CRISP_RETURN_IF_ERROR(pod.status());
                              return (*pod)->id();
                            }));
  response->set_pod_sandbox_id(id);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
