#include "absl/strings/match.h"
#include "cri/rpc/container_messages.h"
#include "cri/rpc/label_selector.h"
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

absl::Status ListContainers(RpcContext& context, const Call& call,
                            const runtime::v1::ListContainersRequest& request,
                            runtime::v1::ListContainersResponse* response) {
  for (const std::shared_ptr<Container>& container : context.containers.containers->All()) {
    if (container->listed() && Matches(request.filter(), *container)) {
      FillContainer(*container, response->add_containers());
    }
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
