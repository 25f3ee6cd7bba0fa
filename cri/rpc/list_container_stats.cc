#include "absl/strings/match.h"
#include "cri/messages/label_selector.h"
#include "cri/rpc/lists.h"
#include "cri/rpc/rpcs.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri::rpc {
namespace {

// Those that run: the others use nothing.
bool Matches(const runtime::v1::ContainerStatsFilter& filter, const Container& container) {
  return container.listed() && container.state() == runtime::v1::CONTAINER_RUNNING &&
         absl::StartsWith(container.id(), filter.id()) &&
         absl::StartsWith(container.pod()->id(), filter.pod_sandbox_id()) &&
         Selects(filter.label_selector(), container.config().labels());
}

// `take` gets each one's stats until it says no.
template <typename F>  // bool F(runtime::v1::ContainerStats)
void ForEach(RpcContext& context, const runtime::v1::ContainerStatsFilter& filter, F take) {
  if (IsEmpty(filter)) context.stats->Tidy();
  for (const auto& container : context.containers.containers->All()) {
    if (!Matches(filter, *container)) continue;
    auto stats = context.stats->OfContainer(*container);
    // One that has ended in the meantime is none.
    if (stats.ok() && !take(*std::move(stats))) return;
  }
}

}  // namespace

absl::Status ListContainerStats(RpcContext& context, const Call& call,
                                const runtime::v1::ListContainerStatsRequest& request,
                                runtime::v1::ListContainerStatsResponse* response) {
  ForEach(context, request.filter(), [&](runtime::v1::ContainerStats stats) {
    *response->add_stats() = std::move(stats);
    return true;
  });
  return absl::OkStatus();
}

absl::Status StreamContainerStats(RpcContext& context, const Call& call,
                                  const runtime::v1::StreamContainerStatsRequest& request,
                                  const Send<runtime::v1::StreamContainerStatsResponse>& send) {
  PartSender<runtime::v1::StreamContainerStatsResponse> parts(send);
  ForEach(context, request.filter(), [&](runtime::v1::ContainerStats stats) {
    *parts.next().add_container_stats() = std::move(stats);
    return parts.Added();
  });
  return parts.Finish();
}

}  // namespace crisp::cri::rpc
