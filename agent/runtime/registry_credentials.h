// Who one is to a registry. A secret: never for a log or a message.
#ifndef CRISP_AGENT_RUNTIME_REGISTRY_CREDENTIALS_H_
#define CRISP_AGENT_RUNTIME_REGISTRY_CREDENTIALS_H_

#include <string>

namespace crisp::agent {

struct RegistryCredentials {
  std::string username, password;

  bool operator==(const RegistryCredentials& other) const = default;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_RUNTIME_REGISTRY_CREDENTIALS_H_
