#include "absl/strings/match.h"
#include "cri/messages/label_selector.h"
#include "cri/rpc/lists.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

bool Matches(const runtime::v1::PodSandboxFilter& filter, const Pod& pod) {
  return absl::StartsWith(pod.id(), filter.id()) &&
         (!filter.has_state() || filter.state().state() == pod.state()) &&
         Selects(filter.label_selector(), pod.config().labels());
}

}  // namespace

Encoded ListPodSandbox(RpcContext& context, const runtime::v1::ListPodSandboxRequest& request) {
  if (IsEmpty(request.filter())) return context.pod_list.All();
  const auto matches = [&](const Pod& pod) { return Matches(request.filter(), pod); };
  return context.pod_list.Matching(matches, kWhole).front();
}

absl::Status StreamPodSandboxes(RpcContext& context, const Call& call,
                                const runtime::v1::StreamPodSandboxesRequest& request,
                                const Send<Encoded>& send) {
  const auto matches = [&](const Pod& pod) { return Matches(request.filter(), pod); };
  return SendParts(context.pod_list.Matching(matches, kPartBytes), send);
}

}  // namespace crisp::cri::rpc
