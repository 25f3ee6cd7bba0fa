// The gRPC service crisp.volumes.v1.Volumes, served on the CRI socket: objects in,
// and every running pod that uses one brought up to date before Apply returns.
//
// Ownership: borrows the store and the pods' volumes; both outlive it.
// Threads:   safe; the server calls it from many.
// Errors:    the status of the layer below, code and message. A pod that could not
//            take a change does not fail Apply: the object is stored, the pod keeps
//            its content, and the log says why.
#ifndef CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_
#define CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_

#include "absl/status/status.h"
#include "api/volumes/v1/volumes.pb.h"
#include "grpc_server/methods.h"
#include "volumes/object_store.h"
#include "volumes/pod_volumes.h"

namespace crisp::cri {

class VolumesService {
 public:
  VolumesService(volumes::ObjectStore* objects, volumes::PodVolumes* pods)
      : objects_(objects), pods_(pods) {}

  // Adds the service's methods, which borrow this.
  void AddTo(grpcserver::Methods* methods);

 private:
  absl::Status ApplyConfigMap(const volumes::v1::ApplyConfigMapRequest& request,
                              volumes::v1::ApplyConfigMapResponse* response);
  absl::Status GetConfigMap(const volumes::v1::GetConfigMapRequest& request,
                            volumes::v1::GetConfigMapResponse* response);
  absl::Status ListConfigMaps(const volumes::v1::ListConfigMapsRequest& request,
                              volumes::v1::ListConfigMapsResponse* response);
  absl::Status DeleteConfigMap(const volumes::v1::DeleteConfigMapRequest& request,
                               volumes::v1::DeleteConfigMapResponse* response);
  absl::Status ApplySecret(const volumes::v1::ApplySecretRequest& request,
                           volumes::v1::ApplySecretResponse* response);
  absl::Status GetSecret(const volumes::v1::GetSecretRequest& request,
                         volumes::v1::GetSecretResponse* response);
  absl::Status ListSecrets(const volumes::v1::ListSecretsRequest& request,
                           volumes::v1::ListSecretsResponse* response);
  absl::Status DeleteSecret(const volumes::v1::DeleteSecretRequest& request,
                            volumes::v1::DeleteSecretResponse* response);
  absl::Status UpdatePod(const volumes::v1::UpdatePodRequest& request,
                         volumes::v1::UpdatePodResponse* response);

  uint32_t UpdatePods(volumes::ObjectKind kind, const volumes::v1::ObjectKey& key);

  volumes::ObjectStore* const objects_;
  volumes::PodVolumes* const pods_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_VOLUMES_RPC_VOLUMES_SERVICE_H_
