#include "base/version.h"

#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {

absl::Status Version(RpcContext& context, const Call& call,
                     const runtime::v1::VersionRequest& request,
                     runtime::v1::VersionResponse* response) {
  response->set_version("0.1.0");  // Of kubelet's runtime API; kubelet refuses another.
  response->set_runtime_name("crisp");
  response->set_runtime_version(kCrispVersion);
  response->set_runtime_api_version("v1");
  return absl::OkStatus();
}

}  // namespace crisp::cri::rpc
