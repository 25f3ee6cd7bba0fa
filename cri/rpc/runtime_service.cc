#include "cri/rpc/runtime_service.h"

#include <new>

#include "base/log.h"
#include "cri/containerd/grpc_status.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri {
namespace {

// Calls that take longer than this are worth a line even when they succeed.
constexpr absl::Duration kSlow = absl::Seconds(2);

// Runs `rpc`, which gets the Call, and says in the log how it went.
template <typename F>
grpc::Status Serve(const char* name, RpcContext& context, grpc::ServerContext* server_call, F rpc) {
  const absl::Duration start = context.node.clock->Steady();
  const Call call{.abandoned = [server_call] { return server_call->IsCancelled(); }};
  absl::Status status;
  try {
    status = rpc(call);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    // A library of ours threw on input that we should have refused.
    status = absl::InternalError(error.what());
  }
  const absl::Duration took = context.node.clock->Steady() - start;
  if (!status.ok() && call.abandoned()) {
    LogDebug("the caller is gone", {{"rpc", name}, {"took", took}, {"error", status}});
  } else if (!status.ok()) {
    LogWarn("call failed", {{"rpc", name}, {"took", took}, {"error", status}});
  } else if (took > kSlow) {
    LogInfo("call was slow", {{"rpc", name}, {"took", took}});
  } else {
    LogDebug("call", {{"rpc", name}, {"took", took}});
  }
  return ToGrpc(status);
}

template <typename Request, typename Response>
grpc::Status ServeStream(const char* name, RpcContext& context, grpc::ServerContext* server_call,
                         absl::Status (*rpc)(RpcContext&, const Call&, const Request&,
                                             const rpc::Send<Response>&),
                         const Request& request, grpc::ServerWriter<Response>* writer) {
  return Serve(name, context, server_call, [&](const Call& call) {
    return rpc(context, call, request,
               [writer](const Response& response) { return writer->Write(response); });
  });
}

template <typename Request>
grpc::ServerUnaryReactor* ServeEncoded(RpcContext& context, grpc::CallbackServerContext* call,
                                       Encoded (*rpc)(RpcContext&, const Request&),
                                       const grpc::ByteBuffer& buffer, grpc::ByteBuffer* response) {
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  grpc::Slice bytes;
  Request request;
  if (!buffer.DumpToSingleSlice(&bytes).ok() ||
      !request.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()))) {
    reactor->Finish(ToGrpc(absl::InvalidArgumentError("the request does not parse")));
    return reactor;
  }
  // The bytes are shared, not copied: their owner lives as long as gRPC needs them.
  auto* const owner = new Encoded(rpc(context, request));
  const grpc::Slice answer(
      const_cast<char*>((*owner)->data()), (*owner)->size(),
      [](void* data) { delete static_cast<Encoded*>(data); }, owner);
  *response = grpc::ByteBuffer(&answer, 1);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

#define CRISP_RPC(name)                                                                      \
  grpc::Status RuntimeService::name(grpc::ServerContext* call,                               \
                                    const runtime::v1::name##Request* request,               \
                                    runtime::v1::name##Response* response) {                 \
    return Serve(#name, context_, call,                                                      \
                 [&](const Call& c) { return rpc::name(context_, c, *request, response); }); \
  }
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

#define CRISP_STREAM(name, Request, Response)                                            \
  grpc::Status RuntimeService::name(grpc::ServerContext* call,                           \
                                    const runtime::v1::Request* request,                 \
                                    grpc::ServerWriter<runtime::v1::Response>* writer) { \
    return ServeStream(#name, context_, call, &rpc::name, *request, writer);             \
  }
CRISP_STREAM(StreamPodSandboxes, StreamPodSandboxesRequest, StreamPodSandboxesResponse)
CRISP_STREAM(StreamContainers, StreamContainersRequest, StreamContainersResponse)
CRISP_STREAM(StreamContainerStats, StreamContainerStatsRequest, StreamContainerStatsResponse)
CRISP_STREAM(StreamPodSandboxStats, StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse)
CRISP_STREAM(StreamPodSandboxMetrics, StreamPodSandboxMetricsRequest,
             StreamPodSandboxMetricsResponse)
CRISP_STREAM(GetContainerEvents, GetEventsRequest, ContainerEventResponse)
#undef CRISP_STREAM

grpc::ServerUnaryReactor* RuntimeService::ListPodSandbox(grpc::CallbackServerContext* call,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeEncoded(context_, call, &rpc::ListPodSandbox, *request, response);
}

grpc::ServerUnaryReactor* RuntimeService::ListContainers(grpc::CallbackServerContext* call,
                                                         const grpc::ByteBuffer* request,
                                                         grpc::ByteBuffer* response) {
  return ServeEncoded(context_, call, &rpc::ListContainers, *request, response);
}

}  // namespace crisp::cri
