#include "cri/rpc/running_container.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/spec/exec_process.h"

namespace crisp::cri::rpc {

absl::StatusOr<RunningContainer> FindRunningContainer(const RpcContext& context,
                                                      const std::string& id) {
  RunningContainer found;
  CRISP_ASSIGN_OR_RETURN(found.container, context.containers.containers->Find(id));
  if (found.container->state() != runtime::v1::CONTAINER_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", found.container->id(), " is not running"));
  }
  CRISP_ASSIGN_OR_RETURN(found.driver,
                         context.node.handlers->Find(found.container->pod()->runtime_handler()));
  return found;
}

absl::StatusOr<std::string> ExecProcessJson(
    const Container& container, const google::protobuf::RepeatedPtrField<std::string>& cmd,
    bool tty) {
  const nlohmann::json spec =
      nlohmann::json::parse(container.facts().Read([](const state::v1::ContainerRecord& facts) {
        return facts.spec_json();
      }),
                            nullptr, /*allow_exceptions=*/false);
  CRISP_ASSIGN_OR_RETURN(
      const nlohmann::json process,
      BuildExecProcess(spec, std::vector<std::string>(cmd.begin(), cmd.end()), tty));
  return process.dump();
}

}  // namespace crisp::cri::rpc
