// runtime.v1.ImageService: CRI's image calls over an ImageStore.
//
// Ownership: borrows the store.
// Threads:   safe; a pull keeps its RPC thread until it ends or the client goes.
// Errors:    InvalidArgument names the field. A pull that fails because of the
//            registry has code UNKNOWN and a message that begins with
//            "RegistryUnavailable:", which is how kubelet knows it.
#ifndef CRISP_CRI_IMAGES_IMAGE_SERVICE_H_
#define CRISP_CRI_IMAGES_IMAGE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>
#include <vector>

#include "api/cri/v1/api.grpc.pb.h"
#include "cri/images/image_store.h"

namespace crisp::cri {

class ImageService final : public runtime::v1::ImageService::Service {
 public:
  // What containers have written, one for each filesystem that holds some of it.
  using WritableLayers = std::function<std::vector<FsUsage>()>;

  ImageService(ImageStore* store, WritableLayers writable_layers)
      : store_(store), writable_layers_(std::move(writable_layers)) {}

  grpc::Status ListImages(grpc::ServerContext* context,
                          const runtime::v1::ListImagesRequest* request,
                          runtime::v1::ListImagesResponse* response) override;
  // The same in parts, for more images than fit in one message.
  grpc::Status StreamImages(grpc::ServerContext* context,
                            const runtime::v1::StreamImagesRequest* request,
                            grpc::ServerWriter<runtime::v1::StreamImagesResponse>* writer) override;
  grpc::Status ImageStatus(grpc::ServerContext* context,
                           const runtime::v1::ImageStatusRequest* request,
                           runtime::v1::ImageStatusResponse* response) override;
  grpc::Status PullImage(grpc::ServerContext* context, const runtime::v1::PullImageRequest* request,
                         runtime::v1::PullImageResponse* response) override;
  grpc::Status RemoveImage(grpc::ServerContext* context,
                           const runtime::v1::RemoveImageRequest* request,
                           runtime::v1::RemoveImageResponse* response) override;
  grpc::Status ImageFsInfo(grpc::ServerContext* context,
                           const runtime::v1::ImageFsInfoRequest* request,
                           runtime::v1::ImageFsInfoResponse* response) override;

 private:
  ImageStore* const store_;
  const WritableLayers writable_layers_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_SERVICE_H_
