#include "cri/rpc/lists.h"
#include "cri/rpc/rpcs.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri::rpc {
namespace {

// `take` gets each ready pod's metrics until it says no.
template <typename F>  // bool F(runtime::v1::PodSandboxMetrics)
void ForEach(RpcContext& context, F take) {
  for (const auto& pod : context.node.pods->All()) {
    auto metrics = context.stats->MetricsOf(*pod);
    if (metrics.ok() && !take(*std::move(metrics))) return;
  }
}

}  // namespace

absl::Status ListPodSandboxMetrics(RpcContext& context, const Call& call,
                                   const runtime::v1::ListPodSandboxMetricsRequest& request,
                                   runtime::v1::ListPodSandboxMetricsResponse* response) {
  ForEach(context, [&](runtime::v1::PodSandboxMetrics metrics) {
    *response->add_pod_metrics() = std::move(metrics);
    return true;
  });
  return absl::OkStatus();
}

absl::Status StreamPodSandboxMetrics(
    RpcContext& context, const Call& call,
    const runtime::v1::StreamPodSandboxMetricsRequest& request,
    const Send<runtime::v1::StreamPodSandboxMetricsResponse>& send) {
  PartSender<runtime::v1::StreamPodSandboxMetricsResponse> parts(send);
  ForEach(context, [&](runtime::v1::PodSandboxMetrics metrics) {
    *parts.next().add_pod_sandbox_metrics() = std::move(metrics);
    return parts.Added();
  });
  return parts.Finish();
}

}  // namespace crisp::cri::rpc
