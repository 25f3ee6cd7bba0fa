// From a volume's source to its files: the objects looked up, the keys chosen, the
// modes set.
//
// Threads: free functions.
// Errors:  FailedPrecondition names object and key: "configMap default/web: there is
//          no key 'x'". A missing optional object or key is no error.
#ifndef CRISP_VOLUMES_PROJECTION_H_
#define CRISP_VOLUMES_PROJECTION_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "volumes/object_store.h"
#include "volumes/payload.h"
#include "volumes/pod_identity.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

absl::StatusOr<Payload> BuildPayload(
    const ProjectedSource& source, const ObjectStore& objects, const PodIdentity& pod,
    const std::map<std::string, ContainerResourceValues>& resources);

// Whether the volume reads the object `name` in its pod's namespace.
bool Uses(const VolumeSource& volume, ObjectKind kind, const std::string& name);

// Whether a file of the volume is about the pod itself, or about the resources of
// the container `container`.
bool UsesIdentity(const VolumeSource& volume);
bool UsesResourcesOf(const VolumeSource& volume, const std::string& container);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_PROJECTION_H_
