// The gRPC service crisp.volumes.v1.Volumes, served on the CRI socket: objects in,
// and every running pod that uses one brought up to date before Apply returns.
//
// Ownership: borrows the store and the pods' volumes; both outlive it.
// Threads:   safe; gRPC calls it from many.
// Errors:    the status of the layer below, code and message. A pod that could not
//            take a change does not fail Apply: the object is stored, the pod keeps
//            its content, and the log says why.
#ifndef CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_
#define CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_

#include "api/volumes/v1/volumes.grpc.pb.h"
#include "volumes/object_store.h"
#include "volumes/pod_volumes.h"

namespace crisp::cri {

class VolumesService final : public volumes::v1::Volumes::Service {
 public:
  VolumesService(volumes::ObjectStore* objects, volumes::PodVolumes* pods)
      : objects_(objects), pods_(pods) {}

  grpc::Status ApplyConfigMap(grpc::ServerContext* context,
                              const volumes::v1::ApplyConfigMapRequest* request,
                              volumes::v1::ApplyConfigMapResponse* response) override;
  grpc::Status GetConfigMap(grpc::ServerContext* context,
                            const volumes::v1::GetConfigMapRequest* request,
                            volumes::v1::GetConfigMapResponse* response) override;
  grpc::Status ListConfigMaps(grpc::ServerContext* context,
                              const volumes::v1::ListConfigMapsRequest* request,
                              volumes::v1::ListConfigMapsResponse* response) override;
  grpc::Status DeleteConfigMap(grpc::ServerContext* context,
                               const volumes::v1::DeleteConfigMapRequest* request,
                               volumes::v1::DeleteConfigMapResponse* response) override;
  grpc::Status ApplySecret(grpc::ServerContext* context,
                           const volumes::v1::ApplySecretRequest* request,
                           volumes::v1::ApplySecretResponse* response) override;
  grpc::Status GetSecret(grpc::ServerContext* context, const volumes::v1::GetSecretRequest* request,
                         volumes::v1::GetSecretResponse* response) override;
  grpc::Status ListSecrets(grpc::ServerContext* context,
                           const volumes::v1::ListSecretsRequest* request,
                           volumes::v1::ListSecretsResponse* response) override;
  grpc::Status DeleteSecret(grpc::ServerContext* context,
                            const volumes::v1::DeleteSecretRequest* request,
                            volumes::v1::DeleteSecretResponse* response) override;
  grpc::Status UpdatePod(grpc::ServerContext* context, const volumes::v1::UpdatePodRequest* request,
                         volumes::v1::UpdatePodResponse* response) override;

 private:
  uint32_t UpdatePods(volumes::ObjectKind kind, const volumes::v1::ObjectKey& key);

  volumes::ObjectStore* const objects_;
  volumes::PodVolumes* const pods_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_
