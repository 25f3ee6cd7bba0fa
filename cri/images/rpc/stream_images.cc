#include "cri/images/image_service.h"

namespace crisp::cri {
namespace {

// Well below what a client receives in one message.
constexpr size_t kPartBytes = 1 << 20;

}  // namespace

grpc::Status ImageService::StreamImages(
    grpc::ServerContext* context, const runtime::v1::StreamImagesRequest* request,
    grpc::ServerWriter<runtime::v1::StreamImagesResponse>* writer) {
  runtime::v1::ListImagesRequest list;
  *list.mutable_filter() = request->filter();
  runtime::v1::ListImagesResponse all;
  if (const grpc::Status listed = ListImages(context, &list, &all); !listed.ok()) return listed;
  runtime::v1::StreamImagesResponse part;
  size_t bytes = 0;
  for (runtime::v1::Image& image : *all.mutable_images()) {
    bytes += image.ByteSizeLong();
    *part.add_images() = std::move(image);
    if (bytes < kPartBytes) continue;
    if (!writer->Write(part)) return grpc::Status::CANCELLED;
    part.Clear();
    bytes = 0;
  }
  // A client that lists nothing waits for one message all the same.
  if (part.images_size() > 0 || all.images_size() == 0) writer->Write(part);
  return grpc::Status::OK;
}

}  // namespace crisp::cri
