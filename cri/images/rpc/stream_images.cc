#include "base/status_macros.h"
#include "cri/images/image_service.h"

namespace crisp::cri {
namespace {

// Well below what a client receives in one message.
constexpr size_t kPartBytes = 1 << 20;

}  // namespace

absl::Status ImageService::StreamImages(
    const Call& call, const runtime::v1::StreamImagesRequest& request,
    const grpcserver::Send<runtime::v1::StreamImagesResponse>& send) {
  runtime::v1::ListImagesRequest list;
  *list.mutable_filter() = request.filter();
  runtime::v1::ListImagesResponse all;
  CRISP_RETURN_IF_ERROR(ListImages(call, list, &all));
  runtime::v1::StreamImagesResponse part;
  size_t bytes = 0;
  for (runtime::v1::Image& image : *all.mutable_images()) {
    bytes += image.ByteSizeLong();
    *part.add_images() = std::move(image);
    if (bytes < kPartBytes) continue;
    if (!send(part)) return absl::CancelledError("the client is gone");
    part.Clear();
    bytes = 0;
  }
  // A client that lists nothing waits for one message all the same.
  if (part.images_size() > 0 || all.images_size() == 0) send(part);
  return absl::OkStatus();
}

}  // namespace crisp::cri
