#include "base/log.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

// kubelet hands down the node's pod CIDR here and requires success. The address
// range of crisp's pods comes from the CNI configuration, or from the config file
// for the built-in network, so the value is only logged.
absl::Status UpdateRuntimeConfig(RpcContext& context, const Call& call,
                                 const runtime::v1::UpdateRuntimeConfigRequest& request,
                                 runtime::v1::UpdateRuntimeConfigResponse* response) {
  LogInfo("kubelet's runtime config noted",
          {{"pod_cidr", request.runtime_config().network_config().pod_cidr()}});
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
