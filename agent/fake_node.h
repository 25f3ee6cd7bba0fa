// A node for tests: CRI, Volumes and image import on a unix socket, in this
// process, with nothing behind them but memory.
//
// Containers "run" when they are started and stay so until they are stopped,
// unless Exits says otherwise. Any RPC can be made to fail by name.
//
// Ownership: owns its server and its directory under /tmp.
// Threads:   safe.
#ifndef CRISP_AGENT_FAKE_NODE_H_
#define CRISP_AGENT_FAKE_NODE_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "api/cri/v1/api.grpc.pb.h"
#include "api/images/v1/images.grpc.pb.h"
#include "api/volumes/v1/volumes.grpc.pb.h"

namespace crisp::agent {

class FakeNode : public runtime::v1::RuntimeService::Service,
                 public runtime::v1::ImageService::Service,
                 public crisp::volumes::v1::Volumes::Service,
                 public crisp::images::v1::Images::Service {
 public:
  FakeNode();
  ~FakeNode() override;

  std::string address() const { return "unix://" + directory_ + "/crisp.sock"; }
  const std::string& directory() const { return directory_; }

  // The RPC of that name fails from now on.
  void Fail(const std::string& rpc, grpc::Status status);
  // Containers of that name exit with `code` as soon as they are started.
  void Exits(const std::string& container, int code);
  void AddImage(const std::string& name, const std::string& username = "", int64_t uid = 0);
  // What ExecSync answers; its request is kept.
  void SetExec(runtime::v1::ExecSyncResponse reply);

  std::vector<std::string> calls() const;
  size_t sandbox_count() const;
  runtime::v1::RunPodSandboxRequest sandbox_request() const;  // The last.
  runtime::v1::ContainerConfig container_config(const std::string& name) const;
  runtime::v1::ExecSyncRequest exec_request() const;
  runtime::v1::PullImageRequest pull_request() const;
  std::string imported() const;
  void StopSandboxes();  // As a reboot leaves them.

 private:
  using Context = grpc::ServerContext;
  grpc::Status Enter(const std::string& rpc) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  grpc::Status Version(Context*, const runtime::v1::VersionRequest*,
                       runtime::v1::VersionResponse*) override;
  grpc::Status Status(Context*, const runtime::v1::StatusRequest*,
                      runtime::v1::StatusResponse*) override;
  grpc::Status RunPodSandbox(Context*, const runtime::v1::RunPodSandboxRequest*,
                             runtime::v1::RunPodSandboxResponse*) override;
  grpc::Status StopPodSandbox(Context*, const runtime::v1::StopPodSandboxRequest*,
                              runtime::v1::StopPodSandboxResponse*) override;
  grpc::Status RemovePodSandbox(Context*, const runtime::v1::RemovePodSandboxRequest*,
                                runtime::v1::RemovePodSandboxResponse*) override;
  grpc::Status PodSandboxStatus(Context*, const runtime::v1::PodSandboxStatusRequest*,
                                runtime::v1::PodSandboxStatusResponse*) override;
  grpc::Status ListPodSandbox(Context*, const runtime::v1::ListPodSandboxRequest*,
                              runtime::v1::ListPodSandboxResponse*) override;
  grpc::Status CreateContainer(Context*, const runtime::v1::CreateContainerRequest*,
                               runtime::v1::CreateContainerResponse*) override;
  grpc::Status StartContainer(Context*, const runtime::v1::StartContainerRequest*,
                              runtime::v1::StartContainerResponse*) override;
  grpc::Status StopContainer(Context*, const runtime::v1::StopContainerRequest*,
                             runtime::v1::StopContainerResponse*) override;
  grpc::Status ListContainers(Context*, const runtime::v1::ListContainersRequest*,
                              runtime::v1::ListContainersResponse*) override;
  grpc::Status ContainerStatus(Context*, const runtime::v1::ContainerStatusRequest*,
                               runtime::v1::ContainerStatusResponse*) override;
  grpc::Status ExecSync(Context*, const runtime::v1::ExecSyncRequest*,
                        runtime::v1::ExecSyncResponse*) override;
  grpc::Status ImageStatus(Context*, const runtime::v1::ImageStatusRequest*,
                           runtime::v1::ImageStatusResponse*) override;
  grpc::Status PullImage(Context*, const runtime::v1::PullImageRequest*,
                         runtime::v1::PullImageResponse*) override;
  grpc::Status ApplyConfigMap(Context*, const crisp::volumes::v1::ApplyConfigMapRequest*,
                              crisp::volumes::v1::ApplyConfigMapResponse*) override;
  grpc::Status GetConfigMap(Context*, const crisp::volumes::v1::GetConfigMapRequest*,
                            crisp::volumes::v1::GetConfigMapResponse*) override;
  grpc::Status ListConfigMaps(Context*, const crisp::volumes::v1::ListConfigMapsRequest*,
                              crisp::volumes::v1::ListConfigMapsResponse*) override;
  grpc::Status DeleteConfigMap(Context*, const crisp::volumes::v1::DeleteConfigMapRequest*,
                               crisp::volumes::v1::DeleteConfigMapResponse*) override;
  grpc::Status ApplySecret(Context*, const crisp::volumes::v1::ApplySecretRequest*,
                           crisp::volumes::v1::ApplySecretResponse*) override;
  grpc::Status GetSecret(Context*, const crisp::volumes::v1::GetSecretRequest*,
                         crisp::volumes::v1::GetSecretResponse*) override;
  grpc::Status ListSecrets(Context*, const crisp::volumes::v1::ListSecretsRequest*,
                           crisp::volumes::v1::ListSecretsResponse*) override;
  grpc::Status ImportImage(Context*,
                           grpc::ServerReader<crisp::images::v1::ImportImageRequest>* reader,
                           crisp::images::v1::ImportImageResponse*) override;

  struct FakeSandbox {
    runtime::v1::RunPodSandboxRequest request;
    runtime::v1::PodSandbox listed;
  };
  struct FakeContainer {
    std::string sandbox_id;
    runtime::v1::ContainerConfig config;
    runtime::v1::ContainerStatus status;
  };
  using Key = std::pair<std::string, std::string>;

  std::string directory_;
  mutable absl::Mutex mu_;
  std::map<std::string, FakeSandbox> sandboxes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, FakeContainer> containers_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, runtime::v1::Image> images_ ABSL_GUARDED_BY(mu_);
  std::map<Key, crisp::volumes::v1::ConfigMap> config_maps_ ABSL_GUARDED_BY(mu_);
  std::map<Key, crisp::volumes::v1::Secret> secrets_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, grpc::Status> failures_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> exits_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  runtime::v1::RunPodSandboxRequest last_sandbox_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, runtime::v1::ContainerConfig> configs_ ABSL_GUARDED_BY(mu_);
  runtime::v1::ExecSyncResponse exec_reply_ ABSL_GUARDED_BY(mu_);
  runtime::v1::ExecSyncRequest exec_request_ ABSL_GUARDED_BY(mu_);
  runtime::v1::PullImageRequest pull_request_ ABSL_GUARDED_BY(mu_);
  std::string imported_ ABSL_GUARDED_BY(mu_);
  int next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_FAKE_NODE_H_
