// Whom the verbs on pods and containers tell of what they did.
//
// Threads: any; the callee does not block.
#ifndef CRISP_CRI_PODS_LIFECYCLE_H_
#define CRISP_CRI_PODS_LIFECYCLE_H_

#include <string>

#include "api/cri/v1/api.pb.h"
#include "cri/pods/pod.h"

namespace crisp::cri {

class Lifecycle {
 public:
  virtual ~Lifecycle() = default;

  // Something became of the container, or the pod sandbox itself, with `id`. Told once
  // each, after the fact is recorded and the stores show it; a deleted one is in no
  // store any more. Not told of what is half made and undone.
  virtual void Happened(runtime::v1::ContainerEventType what, const std::string& id,
                        const Pod& pod) = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_LIFECYCLE_H_
