#include "cri/volumes_rpc/volumes_service.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/log.h"

namespace crisp::cri {
namespace {

using volumes::ObjectKind;

// Both number their codes as gRPC does on the wire.
grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

grpc::Status Missing(const char* field) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(field) + ": is required");
}

template <typename Request>
grpc::Status CheckKey(const Request& request) {
  if (!request.has_key()) return Missing("key");
  if (request.key().name().empty()) return Missing("key.name");
  return grpc::Status::OK;
}

}  // namespace

uint32_t VolumesService::UpdatePods(ObjectKind kind, const volumes::v1::ObjectKey& key) {
  const volumes::UpdateReport report = pods_->ObjectChanged(kind, key.namespace_(), key.name());
  for (const std::string& failure : report.failures) {
    LogWarn(
        "a pod did not take a changed object",
        {{"object", volumes::ObjectName(kind, key.namespace_(), key.name())}, {"reason", failure}});
  }
  return static_cast<uint32_t>(report.pods_changed);
}

grpc::Status VolumesService::ApplyConfigMap(grpc::ServerContext* context,
                                            const volumes::v1::ApplyConfigMapRequest* request,
                                            volumes::v1::ApplyConfigMapResponse* response) {
  if (!request->has_config_map()) return Missing("config_map");
  auto applied = objects_->ApplyConfigMap(request->config_map());
  if (!applied.ok()) return ToGrpc(applied.status());
  // Also when nothing changed: a pod that could not take it last time tries again.
  response->set_pods_updated(UpdatePods(ObjectKind::kConfigMap, applied->first.key()));
  response->set_change(applied->second);
  *response->mutable_config_map() = std::move(applied->first);
  return grpc::Status::OK;
}

grpc::Status VolumesService::GetConfigMap(grpc::ServerContext* context,
                                          const volumes::v1::GetConfigMapRequest* request,
                                          volumes::v1::GetConfigMapResponse* response) {
  if (grpc::Status status = CheckKey(*request); !status.ok()) return status;
  auto object = objects_->GetConfigMap(request->key().namespace_(), request->key().name());
  if (!object.ok()) return ToGrpc(object.status());
  *response->mutable_config_map() = *std::move(object);
  return grpc::Status::OK;
}

grpc::Status VolumesService::ListConfigMaps(grpc::ServerContext* context,
                                            const volumes::v1::ListConfigMapsRequest* request,
                                            volumes::v1::ListConfigMapsResponse* response) {
  for (volumes::v1::ConfigMap& object : objects_->ListConfigMaps(request->namespace_())) {
    *response->add_config_maps() = std::move(object);
  }
  return grpc::Status::OK;
}

grpc::Status VolumesService::DeleteConfigMap(grpc::ServerContext* context,
                                             const volumes::v1::DeleteConfigMapRequest* request,
                                             volumes::v1::DeleteConfigMapResponse* response) {
  if (grpc::Status status = CheckKey(*request); !status.ok()) return status;
  auto existed = objects_->DeleteConfigMap(request->key().namespace_(), request->key().name());
  if (!existed.ok()) return ToGrpc(existed.status());
  response->set_existed(*existed);
  return grpc::Status::OK;
}

grpc::Status VolumesService::ApplySecret(grpc::ServerContext* context,
                                         const volumes::v1::ApplySecretRequest* request,
                                         volumes::v1::ApplySecretResponse* response) {
  if (!request->has_secret()) return Missing("secret");
  auto applied = objects_->ApplySecret(request->secret());
  if (!applied.ok()) return ToGrpc(applied.status());
  response->set_pods_updated(UpdatePods(ObjectKind::kSecret, applied->first.key()));
  response->set_change(applied->second);
  *response->mutable_secret() = std::move(applied->first);
  return grpc::Status::OK;
}

grpc::Status VolumesService::GetSecret(grpc::ServerContext* context,
                                       const volumes::v1::GetSecretRequest* request,
                                       volumes::v1::GetSecretResponse* response) {
  if (grpc::Status status = CheckKey(*request); !status.ok()) return status;
  auto object = objects_->GetSecret(request->key().namespace_(), request->key().name());
  if (!object.ok()) return ToGrpc(object.status());
  *response->mutable_secret() = *std::move(object);
  return grpc::Status::OK;
}

grpc::Status VolumesService::ListSecrets(grpc::ServerContext* context,
                                         const volumes::v1::ListSecretsRequest* request,
                                         volumes::v1::ListSecretsResponse* response) {
  for (volumes::v1::Secret& object : objects_->ListSecrets(request->namespace_())) {
    *response->add_secrets() = std::move(object);
  }
  return grpc::Status::OK;
}

grpc::Status VolumesService::DeleteSecret(grpc::ServerContext* context,
                                          const volumes::v1::DeleteSecretRequest* request,
                                          volumes::v1::DeleteSecretResponse* response) {
  if (grpc::Status status = CheckKey(*request); !status.ok()) return status;
  auto existed = objects_->DeleteSecret(request->key().namespace_(), request->key().name());
  if (!existed.ok()) return ToGrpc(existed.status());
  response->set_existed(*existed);
  return grpc::Status::OK;
}

grpc::Status VolumesService::UpdatePod(grpc::ServerContext* context,
                                       const volumes::v1::UpdatePodRequest* request,
                                       volumes::v1::UpdatePodResponse* response) {
  if (request->sandbox_id().empty()) return Missing("sandbox_id");
  const auto changed = pods_->UpdateMetadata(
      request->sandbox_id(), {request->labels().begin(), request->labels().end()},
      {request->annotations().begin(), request->annotations().end()});
  if (!changed.ok()) return ToGrpc(changed.status());
  response->set_changed(*changed);
  return grpc::Status::OK;
}

}  // namespace crisp::cri
