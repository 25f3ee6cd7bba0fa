#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "cri/containerd/grpc_status.h"
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

grpc::Status ImageService::ImageStatus(grpc::ServerContext*,
                                       const runtime::v1::ImageStatusRequest* request,
                                       runtime::v1::ImageStatusResponse* response) {
  if (request->image().image().empty()) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "field \"image.image\" is empty");
  }
  const absl::StatusOr<Image> image = store_->Resolve(request->image().image());
  // An image that is not here is an empty answer, not an error.
  if (absl::IsNotFound(image.status())) return grpc::Status::OK;
  if (!image.ok()) return ToGrpc(image.status());
  *response->mutable_image() = ToMessage(*image);
  if (!request->verbose()) return grpc::Status::OK;
  const absl::StatusOr<std::string> info = VerboseInfo(*store_, *image);
  if (!info.ok()) return ToGrpc(info.status());
  (*response->mutable_info())["info"] = *info;
  return grpc::Status::OK;
}

}  // namespace crisp::cri
