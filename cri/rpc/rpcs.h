// The RPCs of runtime.v1.RuntimeService, each in a file of its own: it checks the
// request, calls the verb that does the work, and fills the response.
//
// Threads: every one may run on any number of threads at once.
// Errors:  a Status whose code goes to the client as it is. What happened before
//          an error is undone, or said in the message.
#ifndef CRISP_CRI_RPC_RPCS_H_
#define CRISP_CRI_RPC_RPCS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cri/rpc/encoded_list.h"
#include "cri/rpc/rpc_context.h"
#include "grpc_server/methods.h"

namespace crisp::cri::rpc {

absl::Status Version(RpcContext& context, const Call& call,
                     const runtime::v1::VersionRequest& request,
                     runtime::v1::VersionResponse* response);
absl::Status Status(RpcContext& context, const Call& call,
                    const runtime::v1::StatusRequest& request,
                    runtime::v1::StatusResponse* response);
// The last answer of Status as bytes, or null if it is too old.
Encoded KeptStatus(RpcContext& context);
absl::Status RuntimeConfig(RpcContext& context, const Call& call,
                           const runtime::v1::RuntimeConfigRequest& request,
                           runtime::v1::RuntimeConfigResponse* response);
absl::Status UpdateRuntimeConfig(RpcContext& context, const Call& call,
                                 const runtime::v1::UpdateRuntimeConfigRequest& request,
                                 runtime::v1::UpdateRuntimeConfigResponse* response);
absl::Status RunPodSandbox(RpcContext& context, const Call& call,
                           const runtime::v1::RunPodSandboxRequest& request,
                           runtime::v1::RunPodSandboxResponse* response);
absl::Status StopPodSandbox(RpcContext& context, const Call& call,
                            const runtime::v1::StopPodSandboxRequest& request,
                            runtime::v1::StopPodSandboxResponse* response);
absl::Status RemovePodSandbox(RpcContext& context, const Call& call,
                              const runtime::v1::RemovePodSandboxRequest& request,
                              runtime::v1::RemovePodSandboxResponse* response);
// The response as bytes, as in what follows.
absl::StatusOr<Encoded> PodSandboxStatus(RpcContext& context,
                                         const runtime::v1::PodSandboxStatusRequest& request);
// Lists cannot fail.
Encoded ListPodSandbox(RpcContext& context, const runtime::v1::ListPodSandboxRequest& request);
absl::Status CreateContainer(RpcContext& context, const Call& call,
                             const runtime::v1::CreateContainerRequest& request,
                             runtime::v1::CreateContainerResponse* response);
absl::Status StartContainer(RpcContext& context, const Call& call,
                            const runtime::v1::StartContainerRequest& request,
                            runtime::v1::StartContainerResponse* response);
absl::Status StopContainer(RpcContext& context, const Call& call,
                           const runtime::v1::StopContainerRequest& request,
                           runtime::v1::StopContainerResponse* response);
absl::Status RemoveContainer(RpcContext& context, const Call& call,
                             const runtime::v1::RemoveContainerRequest& request,
                             runtime::v1::RemoveContainerResponse* response);
Encoded ListContainers(RpcContext& context, const runtime::v1::ListContainersRequest& request);
absl::StatusOr<Encoded> ContainerStatus(RpcContext& context,
                                        const runtime::v1::ContainerStatusRequest& request);
absl::Status UpdateContainerResources(RpcContext& context, const Call& call,
                                      const runtime::v1::UpdateContainerResourcesRequest& request,
                                      runtime::v1::UpdateContainerResourcesResponse* response);
absl::Status UpdatePodSandboxResources(RpcContext& context, const Call& call,
                                       const runtime::v1::UpdatePodSandboxResourcesRequest& request,
                                       runtime::v1::UpdatePodSandboxResourcesResponse* response);
absl::Status ReopenContainerLog(RpcContext& context, const Call& call,
                                const runtime::v1::ReopenContainerLogRequest& request,
                                runtime::v1::ReopenContainerLogResponse* response);
absl::Status ExecSync(RpcContext& context, const Call& call,
                      const runtime::v1::ExecSyncRequest& request,
                      runtime::v1::ExecSyncResponse* response);
absl::Status Exec(RpcContext& context, const Call& call, const runtime::v1::ExecRequest& request,
                  runtime::v1::ExecResponse* response);
absl::Status Attach(RpcContext& context, const Call& call,
                    const runtime::v1::AttachRequest& request,
                    runtime::v1::AttachResponse* response);
absl::Status PortForward(RpcContext& context, const Call& call,
                         const runtime::v1::PortForwardRequest& request,
                         runtime::v1::PortForwardResponse* response);
absl::Status ContainerStats(RpcContext& context, const Call& call,
                            const runtime::v1::ContainerStatsRequest& request,
                            runtime::v1::ContainerStatsResponse* response);
absl::Status ListContainerStats(RpcContext& context, const Call& call,
                                const runtime::v1::ListContainerStatsRequest& request,
                                runtime::v1::ListContainerStatsResponse* response);
absl::Status PodSandboxStats(RpcContext& context, const Call& call,
                             const runtime::v1::PodSandboxStatsRequest& request,
                             runtime::v1::PodSandboxStatsResponse* response);
absl::Status ListPodSandboxStats(RpcContext& context, const Call& call,
                                 const runtime::v1::ListPodSandboxStatsRequest& request,
                                 runtime::v1::ListPodSandboxStatsResponse* response);
absl::Status ListMetricDescriptors(RpcContext& context, const Call& call,
                                   const runtime::v1::ListMetricDescriptorsRequest& request,
                                   runtime::v1::ListMetricDescriptorsResponse* response);
absl::Status ListPodSandboxMetrics(RpcContext& context, const Call& call,
                                   const runtime::v1::ListPodSandboxMetricsRequest& request,
                                   runtime::v1::ListPodSandboxMetricsResponse* response);

using grpcserver::Send;

absl::Status StreamPodSandboxes(RpcContext& context, const Call& call,
                                const runtime::v1::StreamPodSandboxesRequest& request,
                                const Send<Encoded>& send);
absl::Status StreamContainers(RpcContext& context, const Call& call,
                              const runtime::v1::StreamContainersRequest& request,
                              const Send<Encoded>& send);
absl::Status StreamContainerStats(RpcContext& context, const Call& call,
                                  const runtime::v1::StreamContainerStatsRequest& request,
                                  const Send<runtime::v1::StreamContainerStatsResponse>& send);
absl::Status StreamPodSandboxStats(RpcContext& context, const Call& call,
                                   const runtime::v1::StreamPodSandboxStatsRequest& request,
                                   const Send<runtime::v1::StreamPodSandboxStatsResponse>& send);
absl::Status StreamPodSandboxMetrics(
    RpcContext& context, const Call& call,
    const runtime::v1::StreamPodSandboxMetricsRequest& request,
    const Send<runtime::v1::StreamPodSandboxMetricsResponse>& send);
absl::Status GetContainerEvents(RpcContext& context, const Call& call,
                                const runtime::v1::GetEventsRequest& request,
                                const Send<runtime::v1::ContainerEventResponse>& send);

}  // namespace crisp::cri::rpc

#endif  // CRISP_CRI_RPC_RPCS_H_
