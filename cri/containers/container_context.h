// What the verbs on containers work with: one struct, made once by main.
//
// Ownership: borrows everything; it all outlives the server.
// Threads:   constant after start-up; each member is safe.
#ifndef CRISP_CRI_CONTAINERS_CONTAINER_CONTEXT_H_
#define CRISP_CRI_CONTAINERS_CONTAINER_CONTEXT_H_

#include <string>

#include "base/background.h"
#include "cri/containers/container_store.h"
#include "cri/pods/pod_context.h"

namespace crisp::cri {

class ImageStore;  // Its header brings all of gRPC; few verbs need it.

struct ContainerContext {
  const PodContext* node = nullptr;  // Drivers, volumes, clock, host facts.
  ContainerStore* containers = nullptr;
  ImageStore* images = nullptr;
  Background* tidy = nullptr;
  std::string rootfs_dir;  // <root>/containers
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CONTAINER_CONTEXT_H_
