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
  // rootfs_dir can hold upper directories of overlays; else containerd prepares a snapshot
  // for each container.
  bool own_uppers = true;

  void Tell(runtime::v1::ContainerEventType what, const Container& container) const {
    node->Tell(what, container.id(), *container.pod());
  }

  // Container::RecordExit, and word of it, though not before word of the start.
  void RecordExit(Container& container, int exit_code, int64_t finished_at, bool oom_killed,
                  const std::string& reason = "", const std::string& message = "") const {
    if (container.RecordExit(exit_code, finished_at, oom_killed, reason, message) &&
        !container.DeferStop()) {
      Tell(runtime::v1::CONTAINER_STOPPED_EVENT, container);
    }
  }
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CONTAINER_CONTEXT_H_
