// spec.volumes as values, parsed from Kubernetes' own JSON.
//
// Strict: a kind or field that is not supported is InvalidArgument and names its
// path ("io.crisp.volumes: volumes[0].nfs: ..."), so that a typing mistake never
// becomes a volume that lacks what its author wrote.
//
// Threads: free function.
#ifndef CRISP_VOLUMES_VOLUME_SOURCE_H_
#define CRISP_VOLUMES_VOLUME_SOURCE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

// `text` is a JSON array; "" is no volumes.
absl::StatusOr<std::vector<VolumeSource>> ParseVolumes(absl::string_view text);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_VOLUME_SOURCE_H_
