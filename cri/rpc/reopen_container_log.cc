#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status ReopenContainerLog(RpcContext& context, const Call& call,
                                const runtime::v1::ReopenContainerLogRequest& request,
                                runtime::v1::ReopenContainerLogResponse* response) {
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  if (container->state() != runtime::v1::CONTAINER_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id(), " is not running; its log is complete"));
  }
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                         context.node.handlers->Find(container->pod()->runtime_handler()));
  return driver->ReopenLog(container->id());
}

}  // namespace crisp::cri::rpc
