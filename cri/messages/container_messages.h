// A container as CRI's messages show it.
#ifndef CRISP_CRI_MESSAGES_CONTAINER_MESSAGES_H_
#define CRISP_CRI_MESSAGES_CONTAINER_MESSAGES_H_

#include <string>

#include "api/cri/v1/api.pb.h"
#include "cri/containers/container.h"
#include "cri/records/kept_encoding.h"

namespace crisp::cri {

void FillContainer(const Container& container, runtime::v1::Container* out);
void FillContainerStatus(const Container& container, runtime::v1::ContainerStatus* out);
// The same, encoded once for each change of the container.
Encoded EncodedContainerStatus(const Container& container);

// The "info" of a verbose status. Environment values are left out of the
// config shown: they may be secrets.
std::string ContainerInfoJson(const Container& container);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MESSAGES_CONTAINER_MESSAGES_H_
