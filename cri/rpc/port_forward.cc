#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/field_text.h"
#include "cri/streaming/streaming_server.h"

namespace crisp::cri::rpc {

absl::Status PortForward(RpcContext& context, const Call& call,
                         const runtime::v1::PortForwardRequest& request,
                         runtime::v1::PortForwardResponse* response) {
  if (request.pod_sandbox_id().empty()) return BadField("pod_sandbox_id", "empty");
  StreamRequest stream;
  stream.kind = StreamKind::kPortForward;
  for (const int32_t port : request.port()) {
    if (port < 1 || port > UINT16_MAX) {
      return BadField("port", absl::StrCat(port, " is no port"));
    }
    stream.ports.push_back(static_cast<uint16_t>(port));
  }
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Pod> pod,
                         context.node.pods->Find(request.pod_sandbox_id()));
  if (!pod->ready()) {
    return absl::FailedPreconditionError(absl::StrCat("pod sandbox ", pod->id(), " is not ready"));
  }
  stream.id = pod->id();
  stream.netns_path =
      pod->facts().Read([](const state::v1::PodRecord& facts) { return facts.netns_path(); });
  CRISP_ASSIGN_OR_RETURN(*response->mutable_url(), context.streaming->Admit(std::move(stream)));
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
