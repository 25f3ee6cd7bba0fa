#include "cri/rpc/runtime_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri {
namespace {

namespace v1 = runtime::v1;
using grpcserver::AtHand;
using grpcserver::EncodedUnary;
using grpcserver::Message;
using grpcserver::Method;

template <typename Request, typename Response>
using UnaryRpc = absl::Status (*)(RpcContext&, const Call&, const Request&, Response*);
template <typename Request, typename Response>
using StreamRpc = absl::Status (*)(RpcContext&, const Call&, const Request&,
                                   const rpc::Send<Response>&);

template <typename Request, typename Response>
Method Unary(RpcContext* context, UnaryRpc<Request, Response> rpc) {
  return grpcserver::Unary<Request, Response>(
      [context, rpc](const Call& call, const Request& request, Response* response) {
        return rpc(*context, call, request, response);
      });
}

template <typename Request, typename Response>
Method Stream(RpcContext* context, StreamRpc<Request, Response> rpc) {
  return grpcserver::ServerStream<Request, Response>(
      [context, rpc](const Call& call, const Request& request, const rpc::Send<Response>& send) {
        return rpc(*context, call, request, send);
      });
}

// A list, which is there as bytes (encoded_list.h).
template <typename Request>
Method List(RpcContext* context, Encoded (*rpc)(RpcContext&, const Request&)) {
  return AtHand<Request>(
      [context, rpc](const Request& request) -> std::optional<absl::StatusOr<Message>> {
        return rpc(*context, request);
      },
      Method());
}

// Its twin, in parts.
template <typename Request>
Method ListStream(RpcContext* context, absl::Status (*rpc)(RpcContext&, const Call&, const Request&,
                                                           const rpc::Send<Encoded>&)) {
  return grpcserver::EncodedStream<Request>(
      [context, rpc](const Call& call, const Request& request, const rpc::Send<Message>& send) {
        return rpc(*context, call, request, send);
      });
}

// Made from memory, unless the caller wants to know everything.
template <typename Request>
Method FromMemory(RpcContext* context,
                  absl::StatusOr<Encoded> (*rpc)(RpcContext&, const Request&)) {
  return AtHand<Request>(
      [context, rpc](const Request& request) -> std::optional<absl::StatusOr<Message>> {
        if (request.verbose()) return std::nullopt;
        return rpc(*context, request);
      },
      EncodedUnary<Request>(
          [context, rpc](const Call&, const Request& request) { return rpc(*context, request); }));
}

Method Status(RpcContext* context) {
  return AtHand<v1::StatusRequest>(
      [context](const v1::StatusRequest& request) -> std::optional<absl::StatusOr<Message>> {
        if (request.verbose()) return std::nullopt;
        Encoded kept = rpc::KeptStatus(*context);
        if (kept == nullptr) return std::nullopt;
        return kept;
      },
      Unary(context, &rpc::Status));
}

}  // namespace

void AddRuntimeService(RpcContext* context, grpcserver::Methods* methods) {
  const auto add = [methods](const char* name, Method method) {
    (*methods)[absl::StrCat("/runtime.v1.RuntimeService/", name)] = std::move(method);
  };
  add("Version", Unary(context, &rpc::Version));
  add("Status", Status(context));
  add("RuntimeConfig", Unary(context, &rpc::RuntimeConfig));
  add("UpdateRuntimeConfig", Unary(context, &rpc::UpdateRuntimeConfig));
  add("RunPodSandbox", Unary(context, &rpc::RunPodSandbox));
  add("StopPodSandbox", Unary(context, &rpc::StopPodSandbox));
  add("RemovePodSandbox", Unary(context, &rpc::RemovePodSandbox));
  add("PodSandboxStatus", FromMemory(context, &rpc::PodSandboxStatus));
  add("ListPodSandbox", List(context, &rpc::ListPodSandbox));
  add("StreamPodSandboxes", ListStream(context, &rpc::StreamPodSandboxes));
  add("CreateContainer", Unary(context, &rpc::CreateContainer));
  add("StartContainer", Unary(context, &rpc::StartContainer));
  add("StopContainer", Unary(context, &rpc::StopContainer));
  add("RemoveContainer", Unary(context, &rpc::RemoveContainer));
  add("ListContainers", List(context, &rpc::ListContainers));
  add("StreamContainers", ListStream(context, &rpc::StreamContainers));
  add("ContainerStatus", FromMemory(context, &rpc::ContainerStatus));
  add("UpdateContainerResources", Unary(context, &rpc::UpdateContainerResources));
  add("UpdatePodSandboxResources", Unary(context, &rpc::UpdatePodSandboxResources));
  add("ReopenContainerLog", Unary(context, &rpc::ReopenContainerLog));
  add("ExecSync", Unary(context, &rpc::ExecSync));
  add("Exec", Unary(context, &rpc::Exec));
  add("Attach", Unary(context, &rpc::Attach));
  add("PortForward", Unary(context, &rpc::PortForward));
  add("ContainerStats", Unary(context, &rpc::ContainerStats));
  add("ListContainerStats", Unary(context, &rpc::ListContainerStats));
  add("StreamContainerStats", Stream(context, &rpc::StreamContainerStats));
  add("PodSandboxStats", Unary(context, &rpc::PodSandboxStats));
  add("ListPodSandboxStats", Unary(context, &rpc::ListPodSandboxStats));
  add("StreamPodSandboxStats", Stream(context, &rpc::StreamPodSandboxStats));
  add("ListMetricDescriptors", Unary(context, &rpc::ListMetricDescriptors));
  add("ListPodSandboxMetrics", Unary(context, &rpc::ListPodSandboxMetrics));
  add("StreamPodSandboxMetrics", Stream(context, &rpc::StreamPodSandboxMetrics));
  add("GetContainerEvents", Stream(context, &rpc::GetContainerEvents));
}

}  // namespace crisp::cri
