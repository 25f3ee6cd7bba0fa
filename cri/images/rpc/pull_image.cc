#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "cri/containerd/grpc_status.h"
#include "cri/images/image_service.h"
#include "cri/images/reference.h"
#include "cri/images/registry/http_client.h"

namespace crisp::cri {
namespace {

AuthFields FieldsOf(const runtime::v1::AuthConfig& auth) {
  return {auth.username(),       auth.password(),       auth.auth(),
          auth.server_address(), auth.identity_token(), auth.registry_token()};
}

// The kubelet turns an error with this prefix into a pod's waiting reason; it
// looks at the text of errors of code UNKNOWN only.
grpc::Status PullError(const absl::Status& status, const grpc::ServerContext& context) {
  if (absl::IsCancelled(status) && context.deadline() <= std::chrono::system_clock::now()) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, std::string(status.message()));
  }
  if (IsUnreachable(status)) {
    return grpc::Status(grpc::StatusCode::UNKNOWN,
                        absl::StrCat("RegistryUnavailable: ", status.message()));
  }
  return ToGrpc(status);
}

}  // namespace

grpc::Status ImageService::PullImage(grpc::ServerContext* context,
                                     const runtime::v1::PullImageRequest* request,
                                     runtime::v1::PullImageResponse* response) {
  const std::string& name = request->image().image();
  const absl::StatusOr<Reference> reference = ParseReference(name);
  if (!reference.ok()) return ToGrpc(reference.status());
  const absl::StatusOr<Credentials> credentials =
      CredentialsFor(FieldsOf(request->auth()), reference->domain);
  if (!credentials.ok()) return ToGrpc(credentials.status());
  const absl::StatusOr<std::string> id =
      store_->Pull(name, *credentials, [context] { return context->IsCancelled(); });
  if (!id.ok()) {
    LogWarn("image pull failed", {{"image", reference->ToString()}, {"error", id.status()}});
    return PullError(id.status(), *context);
  }
  response->set_image_ref(*id);
  return grpc::Status::OK;
}

}  // namespace crisp::cri
