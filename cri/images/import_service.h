// crisp.images.v1.Images: importing an archive of images over the CRI socket.
//
// Ownership: borrows the store.
// Threads:   safe; an import keeps its RPC thread.
// Errors:    InvalidArgument says what is wrong with the archive or the stream.
#ifndef CRISP_CRI_IMAGES_IMPORT_SERVICE_H_
#define CRISP_CRI_IMAGES_IMPORT_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "api/images/v1/images.grpc.pb.h"
#include "cri/images/image_store.h"

namespace crisp::cri {

class ImportService final : public images::v1::Images::Service {
 public:
  explicit ImportService(ImageStore* store) : store_(store) {}

  grpc::Status ImportImage(grpc::ServerContext* context,
                           grpc::ServerReader<images::v1::ImportImageRequest>* reader,
                           images::v1::ImportImageResponse* response) override;

 private:
  ImageStore* const store_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_SERVICE_H_
