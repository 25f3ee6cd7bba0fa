// CDI devices: names like "vendor.example/class=gpu0" to what they put into a
// container, as the Container Device Interface's spec files say.
//
// Files (*.json, *.yaml) are read anew for each container that asks: device plugins
// write them while kubelet runs. A later directory wins over an earlier one; a name
// that one directory has twice means nothing.
//
// Threads: free functions; they read the directories and stat device nodes.
// Errors:  InvalidArgument naming `config.CDI_devices[i]`, and the files that could
//          not be read when the name was not found in the others.
#ifndef CRISP_CRI_SPEC_CDI_H_
#define CRISP_CRI_SPEC_CDI_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"

namespace crisp::cri {

// Names from config.CDI_devices, then those of annotations "cdi.k8s.io/*", each once.
std::vector<std::string> CdiDeviceNames(const runtime::v1::ContainerConfig& config);

// "vendor/class=name" and nothing else.
absl::Status CheckCdiName(const std::string& field, const std::string& name);

// Puts the devices into a container's OCI spec: environment, device nodes with their
// cgroup rules, mounts, hooks and groups. On error `spec` is as it was.
absl::Status InjectCdiDevices(const std::vector<std::string>& names,
                              const std::vector<std::string>& directories, nlohmann::json* spec);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_CDI_H_
