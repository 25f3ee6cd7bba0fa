// The RPCs of runtime.v1.RuntimeService, each in a file of its own: it checks the
// request, calls the verb that does the work, and fills the response.
//
// Threads: every one may run on any number of threads at once.
// Errors:  a Status whose code goes to the client as it is. What happened before
//          an error is undone, or said in the message.
#ifndef CRISP_CRI_RPC_RPCS_H_
#define CRISP_CRI_RPC_RPCS_H_

#include "absl/status/status.h"
#include "api/cri/v1/api.pb.h"
#include "cri/rpc/rpc_context.h"

namespace crisp::cri::rpc {

absl::Status Version(RpcContext& context, const Call& call,
                     const runtime::v1::VersionRequest& request,
                     runtime::v1::VersionResponse* response);
absl::Status Status(RpcContext& context, const Call& call,
                    const runtime::v1::StatusRequest& request,
                    runtime::v1::StatusResponse* response);
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
absl::Status PodSandboxStatus(RpcContext& context, const Call& call,
                              const runtime::v1::PodSandboxStatusRequest& request,
                              runtime::v1::PodSandboxStatusResponse* response);
absl::Status ListPodSandbox(RpcContext& context, const Call& call,
                            const runtime::v1::ListPodSandboxRequest& request,
                            runtime::v1::ListPodSandboxResponse* response);
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
absl::Status ListContainers(RpcContext& context, const Call& call,
                            const runtime::v1::ListContainersRequest& request,
                            runtime::v1::ListContainersResponse* response);
absl::Status ContainerStatus(RpcContext& context, const Call& call,
                             const runtime::v1::ContainerStatusRequest& request,
                             runtime::v1::ContainerStatusResponse* response);
absl::Status UpdateContainerResources(RpcContext& context, const Call& call,
                                      const runtime::v1::UpdateContainerResourcesRequest& request,
                                      runtime::v1::UpdateContainerResourcesResponse* response);
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

}  // namespace crisp::cri::rpc

#endif  // CRISP_CRI_RPC_RPCS_H_
