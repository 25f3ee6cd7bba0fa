#include "base/log.h"
#include "cri/containerd/grpc_status.h"
#include "cri/images/image_service.h"

namespace crisp::cri {

grpc::Status ImageService::RemoveImage(grpc::ServerContext*,
                                       const runtime::v1::RemoveImageRequest* request,
                                       runtime::v1::RemoveImageResponse*) {
  const std::string& name = request->image().image();
  if (name.empty()) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "field \"image.image\" is empty");
  }
  const absl::Status removed = store_->Remove(name);
  if (removed.ok()) LogInfo("image is removed", {{"image", name}});
  return ToGrpc(removed);
}

}  // namespace crisp::cri
