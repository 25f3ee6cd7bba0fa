#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/rpc/rpcs.h"
#include "cri/spec/exec_process.h"
#include "cri/spec/field_text.h"

namespace crisp::cri::rpc {

absl::Status ExecSync(RpcContext& context, const Call& call,
                      const runtime::v1::ExecSyncRequest& request,
                      runtime::v1::ExecSyncResponse* response) {
  if (request.timeout() < 0) return BadField("timeout", "negative");
  CRISP_ASSIGN_OR_RETURN(const std::shared_ptr<Container> container,
                         context.containers.containers->Find(request.container_id()));
  if (container->state() != runtime::v1::CONTAINER_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->id(), " is not running"));
  }
  CRISP_ASSIGN_OR_RETURN(TaskDriver * driver,
                         context.node.handlers->Find(container->pod()->runtime_handler()));
  const nlohmann::json spec =
      nlohmann::json::parse(container->facts().Read([](const state::v1::ContainerRecord& facts) {
        return facts.spec_json();
      }),
                            nullptr, /*allow_exceptions=*/false);
  CRISP_ASSIGN_OR_RETURN(
      const nlohmann::json process,
      BuildExecProcess(spec, std::vector<std::string>(request.cmd().begin(), request.cmd().end()),
                       /*tty=*/false));
  CRISP_ASSIGN_OR_RETURN(
      ExecResult result,
      Annotate(driver->ExecSync(container->id(), process.dump(), absl::Seconds(request.timeout())),
               "exec in container ", container->config().metadata().name()));
  response->set_stdout(std::move(result.out));
  response->set_stderr(std::move(result.err));
  response->set_exit_code(result.exit_code);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
