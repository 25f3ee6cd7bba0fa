// runtime.v1.ImageService: CRI's image calls over an ImageStore.
//
// Ownership: borrows the store.
// Threads:   safe; a pull keeps its RPC thread until it ends or the client goes.
// Errors:    InvalidArgument names the field. A pull that fails because of the
//            registry has code UNKNOWN and a message that begins with
//            "RegistryUnavailable:", which is how kubelet knows it.
#ifndef CRISP_CRI_IMAGES_IMAGE_SERVICE_H_
#define CRISP_CRI_IMAGES_IMAGE_SERVICE_H_

#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "api/cri/v1/api.pb.h"
#include "cri/images/image_store.h"
#include "grpc_server/methods.h"

namespace crisp::cri {

class ImageService {
 public:
  // What containers have written, one for each filesystem that holds some of it.
  using WritableLayers = std::function<std::vector<FsUsage>()>;

  ImageService(ImageStore* store, WritableLayers writable_layers)
      : store_(store), writable_layers_(std::move(writable_layers)) {}

  // Adds the service's methods, which borrow this.
  void AddTo(grpcserver::Methods* methods);

 private:
  absl::Status ListImages(const Call& call, const runtime::v1::ListImagesRequest& request,
                          runtime::v1::ListImagesResponse* response);
  // The same in parts, for more images than fit in one message.
  absl::Status StreamImages(const Call& call, const runtime::v1::StreamImagesRequest& request,
                            const grpcserver::Send<runtime::v1::StreamImagesResponse>& send);
  absl::Status ImageStatus(const Call& call, const runtime::v1::ImageStatusRequest& request,
                           runtime::v1::ImageStatusResponse* response);
  absl::Status PullImage(const Call& call, const runtime::v1::PullImageRequest& request,
                         runtime::v1::PullImageResponse* response);
  absl::Status RemoveImage(const Call& call, const runtime::v1::RemoveImageRequest& request,
                           runtime::v1::RemoveImageResponse* response);
  absl::Status ImageFsInfo(const Call& call, const runtime::v1::ImageFsInfoRequest& request,
                           runtime::v1::ImageFsInfoResponse* response);

  ImageStore* const store_;
  const WritableLayers writable_layers_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_SERVICE_H_
