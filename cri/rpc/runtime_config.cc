#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status RuntimeConfig(RpcContext& context, const Call& call,
                           const runtime::v1::RuntimeConfigRequest& request,
                           runtime::v1::RuntimeConfigResponse* response) {
  response->mutable_linux()->set_cgroup_driver(runtime::v1::CGROUPFS);
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
