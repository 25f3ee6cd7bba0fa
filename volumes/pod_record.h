// volumes.json in a pod's directory: what the pod asked for, written before the
// first mount is made and again when it changes.
//
// Threads: free functions; the caller serialises those for one pod.
// Errors:  errno kept; DataLoss when the file is not what was written.
// Crash:   replaced by rename, so it is whole. Not fsynced: pods end with the boot.
#ifndef CRISP_VOLUMES_POD_RECORD_H_
#define CRISP_VOLUMES_POD_RECORD_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "volumes/pod_identity.h"

namespace crisp::volumes {

struct PodRecord {
  PodIdentity identity;
  std::string volumes_json;
  bool in_pod = false;                                       // Mounted by the pod's pause process.
  std::map<std::string, ContainerResourceValues> resources;  // By container name.
};

absl::Status WriteRecord(int pod_fd, const PodRecord& record);
absl::StatusOr<PodRecord> ReadRecord(int pod_fd);  // NotFound
absl::Status RemoveRecord(int pod_fd);             // OK if absent.

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_POD_RECORD_H_
