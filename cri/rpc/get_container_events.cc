#include "cri/events/event_hub.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

// How soon a subscriber that went away is noticed when nothing happens.
constexpr absl::Duration kPoll = absl::Milliseconds(500);

}  // namespace

absl::Status GetContainerEvents(RpcContext& context, const Call& call,
                                const runtime::v1::GetEventsRequest& request,
                                const Send<runtime::v1::ContainerEventResponse>& send) {
  const auto subscription = context.events->Subscribe();
  while (!call.abandoned()) {
    const auto event = subscription->Next(kPoll);
    if (absl::IsDeadlineExceeded(event.status())) continue;
    if (!event.ok()) return event.status();
    if (!send(**event)) break;
  }
  return absl::CancelledError("the client is gone");
}

}  // namespace crisp::cri::rpc
