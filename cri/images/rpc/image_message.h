// An Image as CRI's message.
#ifndef CRISP_CRI_IMAGES_RPC_IMAGE_MESSAGE_H_
#define CRISP_CRI_IMAGES_RPC_IMAGE_MESSAGE_H_

#include "api/cri/v1/api.pb.h"
#include "cri/images/image.h"

namespace crisp::cri {

runtime::v1::Image ToMessage(const Image& image);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_RPC_IMAGE_MESSAGE_H_
