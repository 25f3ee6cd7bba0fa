// Device nodes of a container and the cgroup rules that let it use them.
//
// Threads: free functions; they stat host paths and list directories.
// Errors:  InvalidArgument naming `config.devices[i]`.
#ifndef CRISP_CRI_SPEC_DEVICES_H_
#define CRISP_CRI_SPEC_DEVICES_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

struct OciDevices {
  nlohmann::json nodes = nlohmann::json::array();  // linux.devices
  nlohmann::json rules = nlohmann::json::array();  // linux.resources.devices
};

// The CRI devices, with a directory standing for every device below it. A
// privileged container gets every device of the host and no restriction.
absl::StatusOr<OciDevices> BuildDevices(const runtime::v1::ContainerConfig& config,
                                        bool privileged);

// Deny all, then the devices that every container may use.
nlohmann::json DefaultDeviceRules();

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_DEVICES_H_
