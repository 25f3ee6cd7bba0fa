// The inside of hosts.h: what a hosts.toml says, and what holds without one.
#ifndef CRISP_CRI_IMAGES_REGISTRY_HOSTS_TOML_H_
#define CRISP_CRI_IMAGES_REGISTRY_HOSTS_TOML_H_

#include <string>

#include "cri/images/registry/hosts.h"

namespace crisp::cri {

// The endpoint of a registry that no file speaks of.
RegistryEndpoint RegistryItself(const std::string& domain);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_HOSTS_TOML_H_
