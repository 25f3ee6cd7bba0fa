// downwardAPI: what a pod's files may say about the pod itself.
//
// Threads: free functions.
// Errors:  InvalidArgument names the field's path.
#ifndef CRISP_VOLUMES_DOWNWARD_ITEM_H_
#define CRISP_VOLUMES_DOWNWARD_ITEM_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "volumes/json_fields.h"
#include "volumes/pod_identity.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

// The field "path" of `item`, clean; and a mode, 0 to 0777, of any field.
absl::StatusOr<std::string> ParsePayloadPath(JsonFields& item);
absl::StatusOr<absl::optional<mode_t>> ParseMode(JsonFields& fields, const std::string& field);

// The field "items" of a downwardAPI source.
absl::StatusOr<DownwardProjection> ParseDownwardItems(JsonFields& fields);

// The bytes of one file. `resources` by container name; a container that is not
// known yet gives an empty file, as does an address that is not known yet.
std::string DownwardValue(const DownwardItem& item, const PodIdentity& pod,
                          const std::map<std::string, ContainerResourceValues>& resources);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_DOWNWARD_ITEM_H_
