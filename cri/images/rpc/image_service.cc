#include "cri/images/image_service.h"

namespace crisp::cri {

void ImageService::AddTo(grpcserver::Methods* methods) {
  using namespace runtime::v1;  // NOLINT: the requests below are all from there.
#define CRISP_RPC(name)                                                                      \
  (*methods)["/runtime.v1.ImageService/" #name] =                                            \
      grpcserver::Unary<name##Request, name##Response>(                                      \
          [this](const Call& call, const name##Request& request, name##Response* response) { \
            return name(call, request, response);                                            \
          })
  CRISP_RPC(ListImages);
  CRISP_RPC(ImageStatus);
  CRISP_RPC(PullImage);
  CRISP_RPC(RemoveImage);
  CRISP_RPC(ImageFsInfo);
#undef CRISP_RPC
  (*methods)["/runtime.v1.ImageService/StreamImages"] =
      grpcserver::ServerStream<StreamImagesRequest, StreamImagesResponse>(
          [this](const Call& call, const StreamImagesRequest& request,
                 const grpcserver::Send<StreamImagesResponse>& send) {
            return StreamImages(call, request, send);
          });
}

}  // namespace crisp::cri
