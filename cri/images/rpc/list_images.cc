#include "absl/status/statusor.h"
#include "cri/images/image_service.h"
#include "cri/images/rpc/image_message.h"

namespace crisp::cri {

absl::Status ImageService::ListImages(const Call&, const runtime::v1::ListImagesRequest& request,
                                      runtime::v1::ListImagesResponse* response) {
  const std::string& wanted = request.filter().image().image();
  if (wanted.empty()) {
    for (const Image& image : store_->List()) *response->add_images() = ToMessage(image);
    return absl::OkStatus();
  }
  const absl::StatusOr<Image> image = store_->Resolve(wanted);
  if (image.ok()) {
    *response->add_images() = ToMessage(*image);
  } else if (!absl::IsNotFound(image.status())) {
    return image.status();
  }
  return absl::OkStatus();
}

}  // namespace crisp::cri
