#include "absl/strings/match.h"
#include "cri/messages/label_selector.h"
#include "cri/rpc/lists.h"
#include "cri/rpc/rpcs.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri::rpc {
namespace {

bool Matches(const runtime::v1::PodSandboxStatsFilter& filter, const Pod& pod) {
  return pod.ready() && absl::StartsWith(pod.id(), filter.id()) &&
         Selects(filter.label_selector(), pod.config().labels());
}

// `take` gets each one's stats until it says no.
template <typename F>  // bool F(runtime::v1::PodSandboxStats)
void ForEach(RpcContext& context, const runtime::v1::PodSandboxStatsFilter& filter, F take) {
  if (IsEmpty(filter)) context.stats->Tidy();
  for (const auto& pod : context.node.pods->All()) {
    if (!Matches(filter, *pod)) continue;
    auto stats = context.stats->OfPod(*pod);
    // One that has ended in the meantime is none.
    if (stats.ok() && !take(*std::move(stats))) return;
  }
}

}  // namespace

absl::Status ListPodSandboxStats(RpcContext& context, const Call& call,
                                 const runtime::v1::ListPodSandboxStatsRequest& request,
                                 runtime::v1::ListPodSandboxStatsResponse* response) {
  ForEach(context, request.filter(), [&](runtime::v1::PodSandboxStats stats) {
    *response->add_stats() = std::move(stats);
    return true;
  });
  return absl::OkStatus();
}

absl::Status StreamPodSandboxStats(RpcContext& context, const Call& call,
                                   const runtime::v1::StreamPodSandboxStatsRequest& request,
                                   const Send<runtime::v1::StreamPodSandboxStatsResponse>& send) {
  PartSender<runtime::v1::StreamPodSandboxStatsResponse> parts(send);
  ForEach(context, request.filter(), [&](runtime::v1::PodSandboxStats stats) {
    *parts.next().add_pod_sandbox_stats() = std::move(stats);
    return parts.Added();
  });
  return parts.Finish();
}

}  // namespace crisp::cri::rpc
