#include "absl/strings/match.h"
#include "cri/messages/label_selector.h"
#include "cri/rpc/lists.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

bool Matches(const runtime::v1::ContainerFilter& filter, const Container& container) {
  return absl::StartsWith(container.id(), filter.id()) &&
         absl::StartsWith(container.pod()->id(), filter.pod_sandbox_id()) &&
         (!filter.has_state() || filter.state().state() == container.state()) &&
         Selects(filter.label_selector(), container.config().labels());
}

}  // namespace

Encoded ListContainers(RpcContext& context, const runtime::v1::ListContainersRequest& request) {
  if (IsEmpty(request.filter())) return context.container_list.All();
  const auto matches = [&](const Container& container) {
    return Matches(request.filter(), container);
  };
  return context.container_list.Matching(matches, kWhole).front();
}

absl::Status StreamContainers(RpcContext& context, const Call& call,
                              const runtime::v1::StreamContainersRequest& request,
                              const Send<Encoded>& send) {
  const auto matches = [&](const Container& container) {
    return Matches(request.filter(), container);
  };
  return SendParts(context.container_list.Matching(matches, kPartBytes), send);
}

}  // namespace crisp::cri::rpc
