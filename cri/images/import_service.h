// crisp.images.v1.Images: importing an archive of images over the CRI socket.
//
// Ownership: borrows the store.
// Threads:   safe; an import keeps its RPC thread.
// Errors:    InvalidArgument says what is wrong with the archive or the stream.
#ifndef CRISP_CRI_IMAGES_IMPORT_SERVICE_H_
#define CRISP_CRI_IMAGES_IMPORT_SERVICE_H_

#include "absl/status/status.h"
#include "api/images/v1/images.pb.h"
#include "cri/images/image_store.h"
#include "grpc_server/methods.h"

namespace crisp::cri {

class ImportService {
 public:
  explicit ImportService(ImageStore* store) : store_(store) {}

  // Adds the service's method, which borrows this.
  void AddTo(grpcserver::Methods* methods);

 private:
  absl::Status ImportImage(const Call& call,
                           const grpcserver::Receive<images::v1::ImportImageRequest>& receive,
                           images::v1::ImportImageResponse* response);

  ImageStore* const store_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_SERVICE_H_
