#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
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
absl::Status PullError(const absl::Status& status, const Call& call) {
  if (absl::IsCancelled(status) && call.expired()) {
    return absl::DeadlineExceededError(status.message());
  }
  if (IsUnreachable(status)) {
    return absl::UnknownError(absl::StrCat("RegistryUnavailable: ", status.message()));
  }
  return status;
}

}  // namespace

absl::Status ImageService::PullImage(const Call& call, const runtime::v1::PullImageRequest& request,
                                     runtime::v1::PullImageResponse* response) {
  const std::string& name = request.image().image();
  CRISP_ASSIGN_OR_RETURN(const Reference reference, ParseReference(name));
  CRISP_ASSIGN_OR_RETURN(const Credentials credentials,
                         CredentialsFor(FieldsOf(request.auth()), reference.domain));
  const absl::StatusOr<std::string> id = store_->Pull(name, credentials, call.abandoned);
  if (!id.ok()) {
    LogWarn("image pull failed", {{"image", reference.ToString()}, {"error", id.status()}});
    return PullError(id.status(), call);
  }
  response->set_image_ref(*id);
  return absl::OkStatus();
}

}  // namespace crisp::cri
