#include <utility>

#include "base/failpoint.h"
#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/rpc/running_container.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status ExecSync(RpcContext& context, const Call& call,
                      const runtime::v1::ExecSyncRequest& request,
                      runtime::v1::ExecSyncResponse* response) {
  if (request.timeout() < 0) return BadField("timeout", "negative");
  CRISP_ASSIGN_OR_RETURN(const RunningContainer running,
                         FindRunningContainer(context, request.container_id()));
  const Container& container = *running.container;
  CRISP_ASSIGN_OR_RETURN(const std::string process,
                         ExecProcessJson(container, request.cmd(), /*tty=*/false));
  CRISP_FAILPOINT("exec_sync/begun");
  CRISP_ASSIGN_OR_RETURN(
      ExecResult result,
      Annotate(running.driver->ExecSync(container.id(), process, absl::Seconds(request.timeout())),
               "exec in container ", container.config().metadata().name()));
  CRISP_FAILPOINT("exec_sync/answered");
  response->set_stdout(std::move(result.out));
  response->set_stderr(std::move(result.err));
  response->set_exit_code(result.exit_code);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
