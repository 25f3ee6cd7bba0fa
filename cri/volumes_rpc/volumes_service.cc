#include "cri/volumes_rpc/volumes_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

using volumes::ObjectKind;

absl::Status Missing(const char* field) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": is required"));
}

template <typename Request>
absl::Status CheckKey(const Request& request) {
  if (!request.has_key()) return Missing("key");
  if (request.key().name().empty()) return Missing("key.name");
  return absl::OkStatus();
}

}  // namespace

void VolumesService::AddTo(grpcserver::Methods* methods) {
  using namespace volumes::v1;  // NOLINT: the requests below are all from there.
#define CRISP_RPC(name)                                                                 \
  (*methods)["/crisp.volumes.v1.Volumes/" #name] =                                      \
      grpcserver::Unary<name##Request, name##Response>(                                 \
          [this](const Call&, const name##Request& request, name##Response* response) { \
            return name(request, response);                                             \
          })
  CRISP_RPC(ApplyConfigMap);
  CRISP_RPC(GetConfigMap);
  CRISP_RPC(ListConfigMaps);
  CRISP_RPC(DeleteConfigMap);
  CRISP_RPC(ApplySecret);
  CRISP_RPC(GetSecret);
  CRISP_RPC(ListSecrets);
  CRISP_RPC(DeleteSecret);
  CRISP_RPC(UpdatePod);
#undef CRISP_RPC
}

uint32_t VolumesService::UpdatePods(ObjectKind kind, const volumes::v1::ObjectKey& key) {
  const volumes::UpdateReport report = pods_->ObjectChanged(kind, key.namespace_(), key.name());
  for (const std::string& failure : report.failures) {
    LogWarn(
        "a pod did not take a changed object",
        {{"object", volumes::ObjectName(kind, key.namespace_(), key.name())}, {"reason", failure}});
  }
  return static_cast<uint32_t>(report.pods_changed);
}

absl::Status VolumesService::ApplyConfigMap(const volumes::v1::ApplyConfigMapRequest& request,
                                            volumes::v1::ApplyConfigMapResponse* response) {
  if (!request.has_config_map()) return Missing("config_map");
  CRISP_ASSIGN_OR_RETURN(auto applied, objects_->ApplyConfigMap(request.config_map()));
  // Also when nothing changed: a pod that could not take it last time tries again.
  response->set_pods_updated(UpdatePods(ObjectKind::kConfigMap, applied.first.key()));
  response->set_change(applied.second);
  *response->mutable_config_map() = std::move(applied.first);
  return absl::OkStatus();
}

absl::Status VolumesService::GetConfigMap(const volumes::v1::GetConfigMapRequest& request,
                                          volumes::v1::GetConfigMapResponse* response) {
  CRISP_RETURN_IF_ERROR(CheckKey(request));
  CRISP_ASSIGN_OR_RETURN(auto object,
                         objects_->GetConfigMap(request.key().namespace_(), request.key().name()));
  *response->mutable_config_map() = std::move(object);
  return absl::OkStatus();
}

absl::Status VolumesService::ListConfigMaps(const volumes::v1::ListConfigMapsRequest& request,
                                            volumes::v1::ListConfigMapsResponse* response) {
  for (volumes::v1::ConfigMap& object : objects_->ListConfigMaps(request.namespace_())) {
    *response->add_config_maps() = std::move(object);
  }
  return absl::OkStatus();
}

absl::Status VolumesService::DeleteConfigMap(const volumes::v1::DeleteConfigMapRequest& request,
                                             volumes::v1::DeleteConfigMapResponse* response) {
  CRISP_RETURN_IF_ERROR(CheckKey(request));
  CRISP_ASSIGN_OR_RETURN(
      auto existed, objects_->DeleteConfigMap(request.key().namespace_(), request.key().name()));
  response->set_existed(existed);
  return absl::OkStatus();
}

absl::Status VolumesService::ApplySecret(const volumes::v1::ApplySecretRequest& request,
                                         volumes::v1::ApplySecretResponse* response) {
  if (!request.has_secret()) return Missing("secret");
  CRISP_ASSIGN_OR_RETURN(auto applied, objects_->ApplySecret(request.secret()));
  response->set_pods_updated(UpdatePods(ObjectKind::kSecret, applied.first.key()));
  response->set_change(applied.second);
  *response->mutable_secret() = std::move(applied.first);
  return absl::OkStatus();
}

absl::Status VolumesService::GetSecret(const volumes::v1::GetSecretRequest& request,
                                       volumes::v1::GetSecretResponse* response) {
  CRISP_RETURN_IF_ERROR(CheckKey(request));
  CRISP_ASSIGN_OR_RETURN(auto object,
                         objects_->GetSecret(request.key().namespace_(), request.key().name()));
  *response->mutable_secret() = std::move(object);
  return absl::OkStatus();
}

absl::Status VolumesService::ListSecrets(const volumes::v1::ListSecretsRequest& request,
                                         volumes::v1::ListSecretsResponse* response) {
  for (volumes::v1::Secret& object : objects_->ListSecrets(request.namespace_())) {
    *response->add_secrets() = std::move(object);
  }
  return absl::OkStatus();
}

absl::Status VolumesService::DeleteSecret(const volumes::v1::DeleteSecretRequest& request,
                                          volumes::v1::DeleteSecretResponse* response) {
  CRISP_RETURN_IF_ERROR(CheckKey(request));
  CRISP_ASSIGN_OR_RETURN(auto existed,
                         objects_->DeleteSecret(request.key().namespace_(), request.key().name()));
  response->set_existed(existed);
  return absl::OkStatus();
}

absl::Status VolumesService::UpdatePod(const volumes::v1::UpdatePodRequest& request,
                                       volumes::v1::UpdatePodResponse* response) {
  if (request.sandbox_id().empty()) return Missing("sandbox_id");
  CRISP_ASSIGN_OR_RETURN(
      const bool changed,
      pods_->UpdateMetadata(request.sandbox_id(),
                            {request.labels().begin(), request.labels().end()},
                            {request.annotations().begin(), request.annotations().end()}));
  response->set_changed(changed);
  return absl::OkStatus();
}

}  // namespace crisp::cri
