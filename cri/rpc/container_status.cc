#include <memory>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "cri/messages/container_messages.h"
#include "cri/messages/message_field.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

using runtime::v1::ContainerStatusResponse;

absl::StatusOr<Encoded> ContainerStatus(RpcContext& context,
                                        const runtime::v1::ContainerStatusRequest& request) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  std::string response;
  AppendField<ContainerStatusResponse::kStatusFieldNumber>(*EncodedContainerStatus(*container),
                                                           &response);
  if (request.verbose()) {
    ContainerStatusResponse more;
    (*more.mutable_info())["info"] = ContainerInfoJson(*container);
    more.AppendToString(&response);
  }
  return std::make_shared<const std::string>(std::move(response));
}

}  // namespace crisp::cri::rpc
