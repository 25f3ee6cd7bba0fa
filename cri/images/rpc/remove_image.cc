#include "base/log.h"
#include "cri/images/image_service.h"

namespace crisp::cri {

absl::Status ImageService::RemoveImage(const Call&, const runtime::v1::RemoveImageRequest& request,
                                       runtime::v1::RemoveImageResponse*) {
  const std::string& name = request.image().image();
  if (name.empty()) return absl::InvalidArgumentError("field \"image.image\" is empty");
  const absl::Status removed = store_->Remove(name);
  if (removed.ok()) LogInfo("image is removed", {{"image", name}});
  return removed;
}

}  // namespace crisp::cri
