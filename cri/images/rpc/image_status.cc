#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "cri/images/image_service.h"
#include "cri/images/rpc/image_message.h"

namespace crisp::cri {
namespace {

// The key and shape that crictl's users know: {"imageSpec": the config's bytes}.
absl::StatusOr<std::string> VerboseInfo(ImageStore& store, const Image& image) {
  CRISP_ASSIGN_OR_RETURN(const std::string config, store.ConfigJson(image));
  const nlohmann::json info = {{"chainID", image.chain_id},
                               {"imageSpec", nlohmann::json::parse(config, nullptr, false)}};
  return info.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

absl::Status ImageService::ImageStatus(const Call&, const runtime::v1::ImageStatusRequest& request,
                                       runtime::v1::ImageStatusResponse* response) {
  if (request.image().image().empty()) {
    return absl::InvalidArgumentError("field \"image.image\" is empty");
  }
  const absl::StatusOr<Image> image = store_->Resolve(request.image().image());
  // An image that is not here is an empty answer, not an error.
  if (absl::IsNotFound(image.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(image.status());
  *response->mutable_image() = ToMessage(*image);
  if (!request.verbose()) return absl::OkStatus();
  CRISP_ASSIGN_OR_RETURN((*response->mutable_info())["info"], VerboseInfo(*store_, *image));
  return absl::OkStatus();
}

}  // namespace crisp::cri
