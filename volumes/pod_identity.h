// Who a pod is, as downwardAPI files and object lookups need to know it.
#ifndef CRISP_VOLUMES_POD_IDENTITY_H_
#define CRISP_VOLUMES_POD_IDENTITY_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/optional.h"

namespace crisp::volumes {

struct PodIdentity {
  std::string sandbox_id;
  std::string name, ns, uid;
  std::vector<std::string> ips;  // Primary first; empty until the network is up.
  std::string node_name, host_ip, service_account;
  std::map<std::string, std::string> labels, annotations;
  absl::optional<gid_t> fs_group;  // securityContext.fsGroup
};

// The limits and requests of one container, for resourceFieldRef. An unset limit
// reads as the node's capacity, an unset request as 0.
struct ContainerResourceValues {
  absl::optional<int64_t> cpu_limit_milli, cpu_request_milli;
  absl::optional<int64_t> memory_limit_bytes, memory_request_bytes;
  absl::optional<int64_t> storage_limit_bytes, storage_request_bytes;  // ephemeral-storage

  bool operator==(const ContainerResourceValues& other) const = default;
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_POD_IDENTITY_H_
