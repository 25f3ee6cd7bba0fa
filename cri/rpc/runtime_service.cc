#include "cri/rpc/runtime_service.h"

#include <new>

#include "base/log.h"
#include "cri/containerd/grpc_status.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri {
namespace {

// Calls that take longer than this are worth a line even when they succeed.
constexpr absl::Duration kSlow = absl::Seconds(2);

template <typename Request, typename Response>
grpc::Status Serve(const char* name, RpcContext& context, grpc::ServerContext* server_call,
                   absl::Status (*rpc)(RpcContext&, const Call&, const Request&, Response*),
                   const Request& request, Response* response) {
  const absl::Duration start = context.node.clock->Steady();
  const Call call{.abandoned = [server_call] { return server_call->IsCancelled(); }};
  absl::Status status;
  try {
    status = rpc(context, call, request, response);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    // A library of ours threw on input that we should have refused.
    status = absl::InternalError(error.what());
  }
  const absl::Duration took = context.node.clock->Steady() - start;
  if (!status.ok()) {
    LogWarn("call failed", {{"rpc", name}, {"took", took}, {"error", status}});
  } else if (took > kSlow) {
    LogInfo("call was slow", {{"rpc", name}, {"took", took}});
  } else {
    LogDebug("call", {{"rpc", name}, {"took", took}});
  }
  return ToGrpc(status);
}

}  // namespace

#define CRISP_RPC(name)                                                        \
  grpc::Status RuntimeService::name(grpc::ServerContext* call,                 \
                                    const runtime::v1::name##Request* request, \
                                    runtime::v1::name##Response* response) {   \
    return Serve(#name, context_, call, &rpc::name, *request, response);       \
  }
CRISP_RPC(Version)
CRISP_RPC(Status)
CRISP_RPC(RuntimeConfig)
CRISP_RPC(UpdateRuntimeConfig)
CRISP_RPC(RunPodSandbox)
CRISP_RPC(StopPodSandbox)
CRISP_RPC(RemovePodSandbox)
CRISP_RPC(PodSandboxStatus)
CRISP_RPC(ListPodSandbox)
CRISP_RPC(CreateContainer)
CRISP_RPC(StartContainer)
CRISP_RPC(StopContainer)
CRISP_RPC(RemoveContainer)
CRISP_RPC(ListContainers)
CRISP_RPC(ContainerStatus)
CRISP_RPC(UpdateContainerResources)
CRISP_RPC(ReopenContainerLog)
CRISP_RPC(ExecSync)
CRISP_RPC(Exec)
CRISP_RPC(Attach)
CRISP_RPC(PortForward)
#undef CRISP_RPC

}  // namespace crisp::cri
