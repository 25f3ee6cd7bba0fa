// ConfigMaps and Secrets of the store, as containers get them.
//
// Ownership: borrows the store. Threads: safe. Errors: as noted.
#ifndef CRISP_AGENT_PODS_POD_OBJECTS_H_
#define CRISP_AGENT_PODS_POD_OBJECTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/environment.h"
#include "agent/manifest/pod.h"
#include "agent/store/object_store.h"

namespace crisp::agent {

class StoreObjects : public ObjectSource {
 public:
  explicit StoreObjects(const ObjectStore* store) : store_(*store) {}

  absl::StatusOr<Data> Read(ObjectKind kind, const std::string& ns,
                            const std::string& name) override;

 private:
  const ObjectStore& store_;
};

// NotFound, in kubelet's words, if a volume of the pod names an object that is not there
// and is not optional.
absl::Status CheckVolumeObjects(const ObjectStore& store, const Pod& pod);

// True if the pod's spec names any ConfigMap or Secret.
bool UsesObjects(const Pod& pod);

// True if a file of a downwardAPI volume tells of the pod's labels or annotations.
bool TellsOfMetadata(const Pod& pod);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_OBJECTS_H_
