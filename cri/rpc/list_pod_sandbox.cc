#include "absl/strings/match.h"
#include "cri/rpc/label_selector.h"
#include "cri/rpc/pod_messages.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

bool Matches(const runtime::v1::PodSandboxFilter& filter, const Pod& pod) {
  return absl::StartsWith(pod.id(), filter.id()) &&
         (!filter.has_state() || filter.state().state() == pod.state()) &&
         Selects(filter.label_selector(), pod.config().labels());
}

}  // namespace

absl::Status ListPodSandbox(RpcContext& context, const Call& call,
                            const runtime::v1::ListPodSandboxRequest& request,
                            runtime::v1::ListPodSandboxResponse* response) {
  for (const std::shared_ptr<Pod>& pod : context.node.pods->All()) {
    if (pod->listed() && Matches(request.filter(), *pod)) {
      FillPodSandbox(*pod, response->add_items());
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
