// runtime.v1.RuntimeService: where gRPC ends and crisp begins. Every call passes
// through one place that times it, logs its failure, and turns whatever comes out
// into a gRPC status.
//
// Ownership: borrows the context.
// Threads:   gRPC's; safe.
#ifndef CRISP_CRI_RPC_RUNTIME_SERVICE_H_
#define CRISP_CRI_RPC_RUNTIME_SERVICE_H_

#include "api/cri/v1/api.grpc.pb.h"
#include "cri/rpc/rpc_context.h"

namespace crisp::cri {

class RuntimeService final
    : public runtime::v1::RuntimeService::WithRawCallbackMethod_ListContainers<
          runtime::v1::RuntimeService::WithRawCallbackMethod_ListPodSandbox<
              runtime::v1::RuntimeService::Service>> {
 public:
  explicit RuntimeService(RpcContext* context) : context_(*context) {}

#define CRISP_RPC(name)                                                                   \
  grpc::Status name(grpc::ServerContext* call, const runtime::v1::name##Request* request, \
                    runtime::v1::name##Response* response) override;
  CRISP_RPC(Version)
  CRISP_RPC(Status)
  CRISP_RPC(RuntimeConfig)
  CRISP_RPC(UpdateRuntimeConfig)
  CRISP_RPC(RunPodSandbox)
  CRISP_RPC(StopPodSandbox)
  CRISP_RPC(RemovePodSandbox)
  CRISP_RPC(PodSandboxStatus)
  CRISP_RPC(CreateContainer)
  CRISP_RPC(StartContainer)
  CRISP_RPC(StopContainer)
  CRISP_RPC(RemoveContainer)
  CRISP_RPC(ContainerStatus)
  CRISP_RPC(UpdateContainerResources)
  CRISP_RPC(UpdatePodSandboxResources)
  CRISP_RPC(ReopenContainerLog)
  CRISP_RPC(ExecSync)
  CRISP_RPC(Exec)
  CRISP_RPC(Attach)
  CRISP_RPC(PortForward)
  CRISP_RPC(ContainerStats)
  CRISP_RPC(ListContainerStats)
  CRISP_RPC(PodSandboxStats)
  CRISP_RPC(ListPodSandboxStats)
  CRISP_RPC(ListMetricDescriptors)
  CRISP_RPC(ListPodSandboxMetrics)
#undef CRISP_RPC

#define CRISP_STREAM(name, Request, Response)                                       \
  grpc::Status name(grpc::ServerContext* call, const runtime::v1::Request* request, \
                    grpc::ServerWriter<runtime::v1::Response>* writer) override;
  CRISP_STREAM(StreamPodSandboxes, StreamPodSandboxesRequest, StreamPodSandboxesResponse)
  CRISP_STREAM(StreamContainers, StreamContainersRequest, StreamContainersResponse)
  CRISP_STREAM(StreamContainerStats, StreamContainerStatsRequest, StreamContainerStatsResponse)
  CRISP_STREAM(StreamPodSandboxStats, StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse)
  CRISP_STREAM(StreamPodSandboxMetrics, StreamPodSandboxMetricsRequest,
               StreamPodSandboxMetricsResponse)
  CRISP_STREAM(GetContainerEvents, GetEventsRequest, ContainerEventResponse)
#undef CRISP_STREAM

  // Answered with bytes that are there already (encoded_list.h), on the thread that read
  // the request.
  grpc::ServerUnaryReactor* ListPodSandbox(grpc::CallbackServerContext* call,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListContainers(grpc::CallbackServerContext* call,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;

  // The rest of the service answers UNIMPLEMENTED, gRPC's own default.

 private:
  RpcContext& context_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RPC_RUNTIME_SERVICE_H_
